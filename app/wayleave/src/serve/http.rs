//! `[http] listen`: `/metrics` for Prometheus and `/healthz` for whoever balances load.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::serve::Listener;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::defaults::HTTP_CONNECTIONS;
use super::metrics;

/// What the pages are made from.
pub trait Pages: Clone + Send + Sync + 'static {
    /// What was counted; nothing when the core does not answer any more.
    fn families(&self) -> impl Future<Output = Option<Vec<metrics::Family>>> + Send;
    /// Whether new work is taken.
    fn is_open(&self) -> bool;
}

/// Listens, and serves the pages from then on.
///
/// # Errors
/// The address cannot be listened on.
pub async fn serve(at: SocketAddr, pages: impl Pages) -> io::Result<SocketAddr> {
    let listener = Few::new(TcpListener::bind(at).await?);
    let local = listener.local_addr()?;
    let router = router(pages);
    tokio::spawn(async move {
        if let Err(error) = axum::serve(listener, router).await {
            tracing::error!(%error, "metrics and health are not told any more");
        }
    });
    Ok(local)
}

fn router<P: Pages>(pages: P) -> Router {
    Router::new()
        .route("/metrics", get(metrics_page::<P>))
        .route("/healthz", get(health_page::<P>))
        .with_state(pages)
}

async fn metrics_page<P: Pages>(State(pages): State<P>) -> Response {
    match pages.families().await {
        Some(families) => {
            let kind = [(header::CONTENT_TYPE, metrics::CONTENT_TYPE)];
            (kind, metrics::text(families)).into_response()
        }
        None => (StatusCode::SERVICE_UNAVAILABLE, "stopped\n").into_response(),
    }
}

async fn health_page<P: Pages>(State(pages): State<P>) -> Response {
    if pages.is_open() {
        (StatusCode::OK, "ok\n").into_response()
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, "draining\n").into_response()
    }
}

/// A listener that has few connections open at once, so that nobody can take all descriptors.
struct Few {
    listener: TcpListener,
    permits: Arc<Semaphore>,
}

impl Few {
    fn new(listener: TcpListener) -> Self {
        Self { listener, permits: Arc::new(Semaphore::new(HTTP_CONNECTIONS)) }
    }
}

impl Listener for Few {
    type Io = Counted;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Counted, SocketAddr) {
        let permit = Arc::clone(&self.permits).acquire_owned().await;
        let permit = permit.expect("the semaphore is never closed");
        // axum's own way rests after an error, so that a lack of descriptors is no busy loop.
        let (stream, from) = Listener::accept(&mut self.listener).await;
        (Counted { stream, _permit: permit }, from)
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

/// A connection that is one of the few.
struct Counted {
    stream: TcpStream,
    _permit: OwnedSemaphorePermit,
}

impl AsyncRead for Counted {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for Counted {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

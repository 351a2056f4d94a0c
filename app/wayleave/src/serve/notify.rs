//! What the service manager is told (`sd_notify(3)`): nothing where there is none.

/// Tells that the core serves.
pub fn ready() {
    send("READY=1");
}

/// Tells that the configuration is being read again; [`ready`] ends it.
pub fn reloading() {
    send("RELOADING=1");
}

/// Tells that the core is on its way out.
pub fn stopping() {
    send("STOPPING=1");
}

#[cfg(target_os = "linux")]
fn send(state: &str) {
    use std::os::linux::net::SocketAddrExt as _;
    use std::os::unix::ffi::OsStrExt as _;
    use std::os::unix::net::{SocketAddr, UnixDatagram};

    let Some(path) = std::env::var_os("NOTIFY_SOCKET") else { return };
    let name = path.as_bytes();
    let address = match name.strip_prefix(b"@") {
        Some(name) => SocketAddr::from_abstract_name(name),
        None => SocketAddr::from_pathname(&path),
    };
    let sent = address
        .and_then(|address| UnixDatagram::unbound()?.send_to_addr(state.as_bytes(), &address));
    if let Err(error) = sent {
        tracing::debug!(%error, "the service manager does not hear");
    }
}

#[cfg(not(target_os = "linux"))]
const fn send(_: &str) {}

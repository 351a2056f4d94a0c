//! How it sounded over time: charts of what each side received.

use std::time::Duration;

use machine::Instant;
use maud::{Markup, html};
use phone::Stats;
use scenarios::{Side, Who};

use super::{each, name, part};
use crate::demo::outcome::{Call, Outcome};

pub fn section(outcome: &Outcome) -> Markup {
    let about = "What each side received, second by second: the opinion that listeners would have \
                 (MOS by ITU-T G.107, 1 to 4.5), how unevenly packets came, and how much of the sound \
                 was missing.";
    part("quality", "Quality over time", about, each(outcome, charts))
}

/// A value of one side over time.
type Values = Vec<(Instant, f64)>;

/// The same, in seconds since the answer.
type Series = Vec<(f64, f64)>;

fn charts(call: &Call) -> Markup {
    let report = &call.report;
    if [&report.alice, &report.bob]
        .iter()
        .all(|side| side.stats.as_ref().is_none_or(|s| s.received == 0))
    {
        return html! { p.card.empty { "No packet arrived on either side: there is nothing to rate." } };
    }
    let mos = series(call, |quality| {
        quality.iter().filter_map(|(at, stats)| Some((*at, stats.mos()?))).collect()
    });
    let jitter = series(call, |quality| {
        quality.iter().map(|(at, stats)| (*at, stats.jitter.as_secs_f64() * 1e3)).collect()
    });
    let missing = series(call, missing);
    html! {
        div.charts {
            (chart("Sounds like (MOS)", &mos, &[1.0, 2.0, 3.0, 4.0], 4.5, 0))
            (scaled("Jitter, ms", &jitter, 4.0, 1))
            (scaled("Missing in each second, ms", &missing, 80.0, 0))
        }
        (table(call))
    }
}

/// A value over time, at Alice and at Bob.
fn series(call: &Call, of: impl Fn(&[(Instant, Stats)]) -> Values) -> [Series; 2] {
    let report = &call.report;
    let start = report.alice.answered.or(report.bob.answered).unwrap_or(Instant::ORIGIN);
    let since = |at: Instant| at.saturating_since(start).as_secs_f64();
    [&report.alice, &report.bob].map(|side: &Side| {
        of(&side.quality).into_iter().map(|(at, value)| (since(at), value)).collect()
    })
}

/// Sound that was made up because nothing came, in ms of each interval.
fn missing(quality: &[(Instant, Stats)]) -> Values {
    let mut before = Duration::ZERO;
    let mut missing = Vec::new();
    for (at, stats) in quality {
        missing.push((*at, stats.concealed.saturating_sub(before).as_secs_f64() * 1e3));
        before = stats.concealed;
    }
    missing
}

/// A round figure above all values.
fn peak(series: &[Series; 2], least: f64) -> f64 {
    let values = series.iter().flatten().map(|(_, value)| *value);
    let most = values.fold(least, f64::max);
    let step = 10_f64.powf(most.log10().floor());
    [1.0, 2.0, 5.0, 10.0].map(|n| n * step).into_iter().find(|top| *top >= most).unwrap_or(most)
}

const WIDTH: f64 = 340.0;
const HEIGHT: f64 = 170.0;
/// Room for the figures at the left and below, and for half a figure above.
const LEFT: f64 = 34.0;
const BELOW: f64 = 24.0;
const ABOVE: f64 = 10.0;

/// A chart from nothing to what is needed, at least to `least`.
fn scaled(title: &str, series: &[Series; 2], least: f64, digits: usize) -> Markup {
    let high = peak(series, least);
    chart(title, series, &[0.0, high / 2.0, high], high, digits)
}

fn chart(title: &str, series: &[Series; 2], ticks: &[f64], high: f64, digits: usize) -> Markup {
    let low = ticks.first().copied().unwrap_or_default();
    let end = series.iter().flatten().map(|(at, _)| *at).fold(1.0, f64::max);
    let x = |at: f64| LEFT + (WIDTH - LEFT - 8.0) * at / end;
    let y = |value: f64| {
        let share = ((value - low) / (high - low)).clamp(0.0, 1.0);
        HEIGHT - BELOW - (HEIGHT - BELOW - ABOVE) * share
    };
    let step = (end / 5.0).ceil().max(1.0);
    let seconds: Vec<f64> =
        (0_u32..).map(|n| f64::from(n) * step).take_while(|at| *at <= end).collect();
    html! {
        figure.card.chart {
            figcaption { (title) }
            svg viewBox={ "0 0 " (WIDTH) " " (HEIGHT) } role="img" aria-label=(summary(title, series)) {
                @for tick in ticks {
                    line.grid x1=(LEFT) x2=(WIDTH - 8.0) y1=(round(y(*tick))) y2=(round(y(*tick))) {}
                    text.figure x=(LEFT - 6.0) y=(round(y(*tick) + 4.0)) { (format!("{tick:.digits$}")) }
                }
                @for at in &seconds {
                    text.second x=(round(x(*at))) y=(HEIGHT - 6.0) { (at) @if *at == 0.0 { " s" } }
                }
                // Bob's is dashed, and drawn first: where both are the same, both show.
                @for (series, who) in [(&series[1], "bob"), (&series[0], "alice")] {
                    polyline class={ "series " (who) } points=(points(series, x, y)) {}
                    @for (at, value) in series {
                        circle class={ "dot " (who) } cx=(round(x(*at))) cy=(round(y(*value))) r="2.5" {
                            title { (super::capital(who)) ", " (round(*at)) " s: " (format!("{value:.1}")) }
                        }
                    }
                }
            }
            p.key { span.alice { "at Alice" } span.bob { "at Bob" } }
        }
    }
}

fn points(series: &Series, x: impl Fn(f64) -> f64, y: impl Fn(f64) -> f64) -> String {
    let points = series.iter().map(|(at, value)| format!("{},{}", round(x(*at)), round(y(*value))));
    points.collect::<Vec<_>>().join(" ")
}

fn round(value: f64) -> f64 {
    (value * 10.0).round() / 10.0
}

/// A chart in words.
fn summary(title: &str, series: &[Series; 2]) -> String {
    let side = |who: &str, series: &Series| {
        let values = || series.iter().map(|(_, value)| *value);
        match series.is_empty() {
            true => format!("at {who} nothing was measured"),
            false => format!(
                "at {who} from {:.1} to {:.1}",
                values().fold(f64::INFINITY, f64::min),
                values().fold(f64::NEG_INFINITY, f64::max),
            ),
        }
    };
    format!("{title}: {}, {}.", side("Alice", &series[0]), side("Bob", &series[1]))
}

/// The end of it, in figures.
fn table(call: &Call) -> Markup {
    html! {
        div.card {
            table.rows.figures {
                caption { "In the end" }
                thead {
                    tr {
                        th scope="col" { "Who heard" } th scope="col" { "Received" } th scope="col" { "Lost" }
                        th scope="col" { "Too late" } th scope="col" { "Jitter" } th scope="col" { "Round trip" }
                        th scope="col" { "MOS" }
                    }
                }
                tbody {
                    @for who in [Who::Alice, Who::Bob] {
                        @if let Some(stats) = &call.report.side(who).stats {
                            tr {
                                th scope="row" { (name(who)) }
                                td.number data-name="Received" { (stats.received) }
                                td.number data-name="Lost" { (stats.lost) }
                                td.number data-name="Too late" { (stats.late) }
                                td.number data-name="Jitter" { (format!("{:.1} ms", stats.jitter.as_secs_f64() * 1e3)) }
                                td.number data-name="Round trip" { (stats.round_trip.map_or_else(|| "–".to_owned(), |rtt| format!("{} ms", rtt.as_millis()))) }
                                td.number data-name="MOS" { (stats.mos().map_or_else(|| "–".to_owned(), |mos| format!("{mos:.2}"))) }
                            }
                        }
                    }
                }
            }
        }
    }
}

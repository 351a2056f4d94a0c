//! Questions, interfaces and the house's laws.

use machine::{Input, InterfaceKind, Output};

use crate::probe::Run;

#[tokio::test]
async fn questions_are_answered() {
    let mut run = Run::new().await;
    let id = run.id();
    run.output(Output::Ask { id, question: 4 }, &[]).await;
    assert_eq!(run.input().await, Input::Answer { id, answer: 8 });
}

#[tokio::test]
async fn a_question_can_be_dropped() {
    let mut run = Run::new().await;
    let (dropped, kept) = (run.id(), run.id());
    run.verb(move |m| {
        m.outputs.push(Output::Ask { id: dropped, question: 2 });
        m.outputs.push(Output::Ask { id: kept, question: 4 });
        m.outputs.push(Output::Close { id: dropped });
    })
    .await;
    assert_eq!(run.input().await, Input::Answer { id: kept, answer: 8 });
    assert_eq!(run.stop().await, []);
}

#[tokio::test]
async fn the_interfaces_come_first() {
    let run = Run::new().await;
    let loopback = run.interfaces.iter().find(|i| i.kind == InterfaceKind::Loopback).unwrap();
    assert!(loopback.addresses.iter().any(|a| a.ip.is_loopback()));
}

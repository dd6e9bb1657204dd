//! Tests of floods and of frames out of order.

use super::*;

const PRIORITY: u8 = 2;
const PING: u8 = 6;
const WINDOW_UPDATE: u8 = 8;
const UNKNOWN: u8 = 200;
const END_HEADERS: u8 = 0x4;
const PADDED: u8 = 0x8;
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// A frame of stream 1.
fn frame(kind: u8, length: u8) -> Vec<u8> {
    framed(kind, END_HEADERS, 1, &vec![0; length.into()])
}

fn framed(kind: u8, flags: u8, stream: u8, payload: &[u8]) -> Vec<u8> {
    let length = u8::try_from(payload.len()).unwrap();
    let mut frame = vec![0, 0, length, kind, flags, 0, 0, 0, stream];
    frame.extend(payload);
    frame
}

/// A monitor after the client's preface.
fn after_preface() -> FrameMonitor {
    let mut monitor = FrameMonitor::new();
    monitor.on_received(&[PREFACE, &framed(SETTINGS, 0, 0, &[])].concat());
    assert_eq!(monitor.error(), None);
    monitor
}

/// The first error while bytes are received in pieces of this size.
fn error(mut monitor: FrameMonitor, bytes: &[u8], piece: usize) -> Option<Reason> {
    bytes.chunks(piece).find_map(|piece| {
        monitor.on_received(piece);
        monitor.error()
    })
}

#[test]
fn floods_overdraw_the_budget_however_they_are_split() {
    for kind in [DATA, RST_STREAM, PRIORITY, PING, WINDOW_UPDATE, UNKNOWN] {
        let length = if kind == DATA { 0 } else { 8 };
        let flood = frame(kind, length).repeat(300);
        for piece in [1, 10, flood.len()] {
            let error = error(after_preface(), &flood, piece);
            assert_eq!(error, Some(Reason::ENHANCE_YOUR_CALM), "{kind}");
        }
    }
    let cancelled = [frame(HEADERS, 5), frame(RST_STREAM, 4)].concat();
    let error = error(after_preface(), &cancelled.repeat(300), 1000);
    assert_eq!(error, Some(Reason::ENHANCE_YOUR_CALM));
}

#[test]
fn a_flood_of_continuations_overdraws_the_budget() {
    let open = framed(HEADERS, 0, 1, &[0; 5]);
    let flood = framed(CONTINUATION, 0, 1, &[0; 8]).repeat(300);
    let error = error(after_preface(), &[open, flood].concat(), 100);
    assert_eq!(error, Some(Reason::ENHANCE_YOUR_CALM));
}

#[test]
fn a_client_that_transfers_data_may_update_its_windows() {
    let mut download = after_preface();
    for _ in 0..1000 {
        download.on_sent(16 * 1024);
        download.on_received(&[frame(WINDOW_UPDATE, 4), frame(WINDOW_UPDATE, 4)].concat());
        assert_eq!(download.error(), None);
    }
    let request = [
        frame(HEADERS, 40),
        frame(DATA, 200),
        frame(WINDOW_UPDATE, 4),
    ];
    assert_eq!(
        error(after_preface(), &request.concat().repeat(5000), 1000),
        None
    );
    let cancelled_sometimes = [frame(HEADERS, 5).repeat(5), frame(RST_STREAM, 4)].concat();
    let error = error(after_preface(), &cancelled_sometimes.repeat(1000), 1000);
    assert_eq!(error, None);
}

#[test]
fn frames_out_of_order_end_the_connection() {
    let open = framed(HEADERS, 0, 1, &[0; 5]);
    let rest = framed(CONTINUATION, END_HEADERS, 1, &[0; 5]);
    let of_other_stream = framed(CONTINUATION, END_HEADERS, 3, &[0; 5]);
    let depends_on = |stream: u8, flags: u8, before: &[u8]| {
        let payload = [before, &[0x80, 0, 0, stream, 16, 0, 0, 0]].concat();
        framed(HEADERS, order::PRIORITY | END_HEADERS | flags, 1, &payload)
    };
    for (frames, is_allowed) in [
        (vec![open.clone(), rest.clone(), frame(PING, 8)], true),
        (vec![open.clone(), frame(HEADERS, 5)], false),
        (vec![open.clone(), frame(PING, 8)], false),
        (vec![open, of_other_stream], false),
        (vec![rest], false),
        (vec![frame(PUSH_PROMISE, 8)], false),
        (vec![depends_on(0, 0, &[])], true),
        (vec![depends_on(3, PADDED, &[1])], true),
        (vec![depends_on(1, 0, &[])], false),
        (vec![depends_on(1, PADDED, &[3])], false),
    ] {
        let bytes = frames.concat();
        let expected = (!is_allowed).then_some(Reason::PROTOCOL_ERROR);
        for piece in [1, 3, bytes.len()] {
            assert_eq!(
                error(after_preface(), &bytes, piece),
                expected,
                "{frames:?}"
            );
        }
    }
}

#[test]
fn the_first_frame_must_be_settings() {
    for first in [
        frame(HEADERS, 5),
        frame(PING, 8),
        framed(SETTINGS, 0x1, 0, &[]),
    ] {
        let bytes = [PREFACE, &first].concat();
        let error = error(FrameMonitor::new(), &bytes, 7);
        assert_eq!(error, Some(Reason::PROTOCOL_ERROR), "{first:?}");
    }
}

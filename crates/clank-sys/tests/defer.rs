//! A connection is handed over when its client has spoken, or its time is over.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used)]

use std::io::{ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::{Duration, Instant};

fn listener(patience: Duration) -> TcpListener {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    clank_sys::defer_accept(&listener, patience).unwrap();
    listener
}

#[test]
fn who_has_spoken_is_handed_over() {
    let listener = listener(Duration::from_secs(30));
    let mut client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    listener.set_nonblocking(true).unwrap();
    assert_eq!(listener.accept().unwrap_err().kind(), ErrorKind::WouldBlock, "it has only knocked");
    client.write_all(b"hello").unwrap();
    listener.set_nonblocking(false).unwrap();
    let (mut accepted, _) = listener.accept().unwrap();
    accepted.set_nonblocking(true).unwrap();
    let mut said = [0; 8];
    assert_eq!(accepted.read(&mut said).unwrap(), 5, "what it said is there");
}

#[test]
fn who_is_silent_is_handed_over_in_time() {
    let listener = listener(Duration::from_millis(1));
    let begun = Instant::now();
    let _client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    listener.accept().unwrap();
    assert!(begun.elapsed() < Duration::from_secs(20), "{:?}", begun.elapsed());
}

#[test]
fn only_sockets_of_tcp_have_the_option() {
    let socket = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    assert!(clank_sys::defer_accept(&socket, Duration::from_secs(1)).is_err());
}

//! Tests of the rules for sockets.

use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;
use crate::outbound::{ProcessConnections, Roots, Rules, Settings};

fn sockets(allow: &[&str], networks: &[&str], settings: Settings) -> (Sockets, Arc<AtomicUsize>) {
    let denials = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&denials);
    let rules = Rules::new(
        allow.iter().map(|text| text.parse().unwrap()).collect(),
        networks.iter().map(|text| text.parse().unwrap()).collect(),
    );
    let process = ProcessConnections::new(100, 100, 100);
    let outbound = Outbound::new(rules, settings, &Roots::public(), &process, move |_| {
        counter.fetch_add(1, Ordering::Relaxed);
    });
    (Sockets::new(outbound.unwrap()), denials)
}

fn settings() -> Settings {
    let address = |text: &str| vec![text.parse().unwrap()];
    Settings {
        connections: 2,
        sockets: SocketKinds {
            tcp: true,
            udp: true,
        },
        hosts: BTreeMap::from([
            ("db.example".to_owned(), address("192.88.98.1")),
            ("inside.example".to_owned(), address("10.0.0.1")),
            ("other.example".to_owned(), address("8.8.4.4")),
        ]),
        ..Settings::default()
    }
}

fn allows(sockets: &Sockets, address: &str, reason: SocketAddrUse) -> bool {
    sockets.0.allows(address.parse().unwrap(), reason)
}

#[tokio::test]
async fn a_name_gives_its_addresses_with_the_ports_of_its_patterns() {
    let allow = ["db.example:5432", "inside.example:80", "9.9.9.9:53"];
    let (sockets, denials) = sockets(&allow, &[], settings());
    let connect = SocketAddrUse::TcpConnect;
    assert!(!allows(&sockets, "192.88.98.1:5432", connect));
    sockets.resolve("DB.example.").await.unwrap();
    assert!(allows(&sockets, "192.88.98.1:5432", connect));
    assert!(!allows(&sockets, "192.88.98.1:80", connect));
    assert!(allows(&sockets, "9.9.9.9:53", SocketAddrUse::UdpSend));
    assert!(!allows(&sockets, "9.9.9.9:80", SocketAddrUse::UdpSend));
    assert_eq!(denials.load(Ordering::Relaxed), 3);
    for (name, denied) in [
        ("inside.example", true),
        ("other.example", true),
        ("a..b", false),
    ] {
        let lookup = sockets.resolve(name).await.unwrap_err();
        assert_eq!(
            matches!(lookup, LookupError::Denied),
            denied,
            "{name}: {lookup:?}"
        );
    }
    assert_eq!(denials.load(Ordering::Relaxed), 6);
    let address = sockets.resolve("10.0.0.1").await.unwrap();
    assert_eq!(address, ["10.0.0.1".parse::<IpAddr>().unwrap()]);
    assert!(!allows(&sockets, "10.0.0.1:80", connect));
}

#[tokio::test]
async fn the_connections_of_an_instance_are_bounded_until_it_ends() {
    let (sockets, _) = sockets(&["1.1.1.1:*"], &[], settings());
    let connect = SocketAddrUse::TcpConnect;
    assert!(allows(&sockets, "1.1.1.1:1", connect));
    assert!(allows(&sockets, "1.1.1.1:2", connect));
    assert!(!allows(&sockets, "1.1.1.1:3", connect));
    let next = Sockets::new(Arc::clone(&sockets.0.outbound));
    assert!(!allows(&next, "1.1.1.1:4", connect));
    drop(sockets);
    assert!(allows(&next, "1.1.1.1:4", connect));
}

#[tokio::test]
async fn open_sockets_are_bounded_until_they_are_closed() {
    let settings = Settings {
        open_sockets: 2,
        ..settings()
    };
    let (sockets, denials) = sockets(&[], &[], settings);
    for number in [7, 8] {
        sockets.created(number, sockets.create().unwrap());
    }
    let next = Sockets::new(Arc::clone(&sockets.0.outbound));
    assert!(sockets.create().is_none() && next.create().is_none());
    assert_eq!(denials.load(Ordering::Relaxed), 2);
    sockets.closed(7);
    next.created(1, next.create().unwrap());
    assert!(next.create().is_none());
    drop(sockets);
    assert!(next.create().is_some());
}

#[tokio::test]
async fn guests_listen_nowhere() {
    let (sockets, _) = sockets(&["*:*"], &["0.0.0.0/0", "::/0"], settings());
    assert!(!allows(&sockets, "0.0.0.0:0", SocketAddrUse::TcpListen));
    assert!(!allows(&sockets, "127.0.0.1:5", SocketAddrUse::TcpAccept));
    assert!(!allows(&sockets, "127.0.0.1:0", SocketAddrUse::TcpBind));
    assert!(!allows(&sockets, "0.0.0.0:53", SocketAddrUse::UdpBind));
    assert!(allows(&sockets, "0.0.0.0:0", SocketAddrUse::TcpBind));
    assert!(allows(&sockets, "[::]:0", SocketAddrUse::UdpBind));
}

#[tokio::test]
async fn without_a_kind_of_socket_there_are_no_lookups() {
    let settings = Settings {
        sockets: SocketKinds::default(),
        ..settings()
    };
    let (sockets, _) = sockets(&["*:*"], &[], settings);
    let lookup = sockets.resolve("db.example").await.unwrap_err();
    assert!(matches!(lookup, LookupError::Denied));
}

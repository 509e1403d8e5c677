//! A table of addresses: every class at both of its ends, and what lies beside it.

use super::*;

fn networks(texts: &[&str]) -> Vec<AddressRange> {
    texts.iter().map(|text| text.parse().unwrap()).collect()
}

#[test]
fn every_special_address_has_its_class() {
    use AddressClass::{
        Broadcast, Documentation, Ipv4Compatible, Isatap, LinkLocal, Loopback, Metadata, Multicast,
        Nat64, Private, Reserved, Shared, SixToFour, Teredo, Unspecified,
    };
    for (class_of, addresses) in [
        (
            Unspecified,
            &[
                "0.0.0.0",
                "0.1.2.3",
                "0.255.255.255",
                "::",
                "::ffff:0.0.0.0",
            ][..],
        ),
        (
            Loopback,
            &[
                "127.0.0.1",
                "127.255.255.254",
                "::1",
                "::ffff:127.0.0.1",
                "::ffff:7f00:1",
            ],
        ),
        (
            Private,
            &[
                "10.0.0.0",
                "10.255.255.255",
                "172.16.0.0",
                "172.31.255.255",
                "192.168.0.1",
                "192.168.255.255",
                "::ffff:10.1.2.3",
                "fc00::1",
                "fd12:3456::1",
                "fdff::",
                "fec0::1",
                "feff::1",
            ],
        ),
        (Shared, &["100.64.0.0", "100.127.255.255"]),
        (
            LinkLocal,
            &["169.254.0.1", "169.254.255.255", "fe80::1", "febf::1"],
        ),
        (
            Metadata,
            &[
                "169.254.169.254",
                "::ffff:169.254.169.254",
                "::ffff:a9fe:a9fe",
                "fd00:ec2::254",
                "100.100.100.200",
                "168.63.129.16",
            ],
        ),
        (
            Multicast,
            &[
                "224.0.0.1",
                "239.255.255.255",
                "ff02::1",
                "ff0e::1",
                "ffff::",
            ],
        ),
        (Broadcast, &["255.255.255.255"]),
        (
            Documentation,
            &[
                "192.0.2.1",
                "198.51.100.7",
                "203.0.113.255",
                "198.18.0.0",
                "198.19.255.255",
                "2001:db8::1",
                "2001:db8:ffff::",
                "3fff::1",
                "3fff:fff::",
            ],
        ),
        (
            Reserved,
            &[
                "192.0.0.8",
                "240.0.0.1",
                "255.255.255.254",
                "2001:2::1",
                "2001:10::",
                "2001:20::",
                "2001:1ff::",
                "100::1",
                "5f00::1",
                "4000::",
                "1::",
                "fe00::1",
                "fe7f::",
            ],
        ),
        (
            Nat64,
            &[
                "64:ff9b::8.8.8.8",
                "64:ff9b::10.0.0.1",
                "64:ff9b:1::1",
                "64:ff9b:1:ffff::",
            ],
        ),
        (
            SixToFour,
            &["2002::", "2002:7f00:1::", "2002:808:808::1", "192.88.99.1"],
        ),
        (Teredo, &["2001::1", "2001:0:4136:e378:8000:63bf:3fff:fdd2"]),
        (
            Isatap,
            &["2a00::5efe:127.0.0.1", "2a00:1:2:3:200:5efe:808:808"],
        ),
        (Ipv4Compatible, &["::127.0.0.1", "::8.8.8.8", "::2"]),
    ] {
        for text in addresses {
            let address: IpAddr = text.parse().unwrap();
            assert_eq!(class(address), Some(class_of), "{text}");
            assert_eq!(permit(address, &[]), Err(class_of), "{text}");
        }
    }
}

#[test]
fn neighbours_of_special_addresses_are_public() {
    for text in [
        "1.0.0.0",
        "1.1.1.1",
        "8.8.8.8",
        "9.255.255.255",
        "11.0.0.0",
        "100.63.255.255",
        "100.128.0.0",
        "126.255.255.255",
        "128.0.0.0",
        "168.63.129.15",
        "169.253.255.255",
        "169.255.0.0",
        "172.15.255.255",
        "172.32.0.0",
        "191.255.255.255",
        "192.0.1.0",
        "192.0.3.0",
        "192.88.98.255",
        "192.88.100.0",
        "192.167.255.255",
        "192.169.0.0",
        "198.17.255.255",
        "198.20.0.0",
        "198.51.99.255",
        "198.51.101.0",
        "203.0.112.255",
        "203.0.114.0",
        "223.255.255.255",
        "::ffff:8.8.8.8",
        "2000::1",
        "2001:200::1",
        "2001:4860:4860::8888",
        "2001:db7::1",
        "2001:db9::1",
        "2003::1",
        "2606:4700::1111",
        "3fff:1000::1",
        "3ffe::1",
        "2a00::5eff:1:1",
    ] {
        let address: IpAddr = text.parse().unwrap();
        assert_eq!(class(address), None, "{text}");
        assert_eq!(permit(address, &[]), Ok(()), "{text}");
    }
}

#[test]
fn a_named_network_lets_its_addresses_in_and_no_others() {
    let named = networks(&["127.0.0.0/8", "10.1.0.0/16", "fd00::/8"]);
    for text in [
        "127.0.0.1",
        "::ffff:127.0.0.1",
        "10.1.255.255",
        "fd00:ec2::254",
        "8.8.8.8",
    ] {
        assert_eq!(permit(text.parse().unwrap(), &named), Ok(()), "{text}");
    }
    for text in [
        "10.2.0.0",
        "::1",
        "169.254.169.254",
        "fc00::1",
        "::ffff:10.0.0.1",
    ] {
        assert!(permit(text.parse().unwrap(), &named).is_err(), "{text}");
    }
}

/// A translator that is named does not lead into networks that are not named.
#[test]
fn the_address_inside_a_translated_address_is_checked_too() {
    let named = networks(&[
        "64:ff9b::/96",
        "64:ff9b:1::/48",
        "2002::/16",
        "2001::/32",
        "::/96",
        "2a00::/16",
    ]);
    for text in [
        "64:ff9b::8.8.8.8",
        "64:ff9b:1::8.8.8.8",
        "2002:808:808::1",
        "::8.8.8.8",
        "2001:0:4136:e378:8000:63bf:f7f7:f7f7",
        "2a00::5efe:8.8.8.8",
        "2a00::1",
    ] {
        assert_eq!(permit(text.parse().unwrap(), &named), Ok(()), "{text}");
    }
    for (text, inner) in [
        ("64:ff9b::10.0.0.1", AddressClass::Private),
        ("64:ff9b:1::127.0.0.1", AddressClass::Loopback),
        ("64:ff9b::169.254.169.254", AddressClass::Metadata),
        ("2002:7f00:1::1", AddressClass::Loopback),
        ("2002:a9fe:a9fe::", AddressClass::Metadata),
        ("::127.0.0.1", AddressClass::Loopback),
        (
            "2001:0:4136:e378:8000:63bf:80ff:fffe",
            AddressClass::Loopback,
        ),
        ("2a00::5efe:192.168.1.1", AddressClass::Private),
    ] {
        assert_eq!(permit(text.parse().unwrap(), &named), Err(inner), "{text}");
    }
    let both = networks(&["64:ff9b::/96", "10.0.0.0/8"]);
    assert_eq!(permit("64:ff9b::10.0.0.1".parse().unwrap(), &both), Ok(()));
}

/// `::1` and `::` lie in `::/96`, and are not IPv4-compatible addresses.
#[test]
fn a_named_loopback_address_has_no_address_inside() {
    assert_eq!(
        permit("::1".parse().unwrap(), &networks(&["::1/128"])),
        Ok(())
    );
    assert_eq!(
        permit("::".parse().unwrap(), &networks(&["::/128"])),
        Ok(())
    );
}

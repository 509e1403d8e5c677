//! The rules of one application: which hosts it may name, and which addresses they may have.

use std::net::{IpAddr, SocketAddr};

use super::denial::Denial;
use crate::destination::{AddressRange, Host, Pattern, permit};

/// The allow-list of an application and the networks that its operator has named.
#[derive(Clone, Debug, Default)]
pub struct Rules {
    allow: Vec<Pattern>,
    networks: Vec<AddressRange>,
}

impl Rules {
    /// These patterns, and these networks beside the public ones. Without patterns, every
    /// destination is refused.
    #[must_use]
    pub fn new(allow: Vec<Pattern>, networks: Vec<AddressRange>) -> Self {
        Self { allow, networks }
    }

    /// Whether the application may name this host and port.
    pub(crate) fn permit_host(&self, host: &Host, port: u16) -> Result<(), Denial> {
        if self.allow.iter().any(|pattern| pattern.matches(host, port)) {
            return Ok(());
        }
        let host = host.clone();
        Err(Denial::NotAllowed { host, port })
    }

    /// The patterns that a name matches with some port: what its addresses may be used for.
    pub(crate) fn patterns_of(&self, host: &Host) -> Result<Vec<Pattern>, Denial> {
        let matching = self
            .allow
            .iter()
            .filter(|pattern| pattern.matches_host(host));
        let matching: Vec<Pattern> = matching.cloned().collect();
        match matching.is_empty() {
            true => Err(Denial::NameNotAllowed(host.clone())),
            false => Ok(matching),
        }
    }

    /// The addresses of a host that the application may reach. One refused address among others
    /// does no harm: it is left out.
    ///
    /// An error is the refusal of the first address, if none is left.
    pub(crate) fn permitted(
        &self,
        host: &Host,
        addresses: Vec<IpAddr>,
    ) -> Result<Vec<IpAddr>, Denial> {
        let mut permitted = Vec::new();
        let mut refusal = None;
        for address in addresses {
            match permit(address, &self.networks) {
                Ok(()) => permitted.push(address),
                Err(class) => {
                    refusal.get_or_insert(Denial::Address {
                        host: host.clone(),
                        address,
                        class,
                    });
                }
            }
        }
        match refusal {
            Some(refusal) if permitted.is_empty() => Err(refusal),
            _ => Ok(permitted),
        }
    }

    /// Whether the application may reach this address, which it names as an address.
    pub(crate) fn permit_socket(&self, remote: SocketAddr) -> Result<(), Denial> {
        let host = Host::Address(remote.ip().to_canonical());
        self.permit_host(&host, remote.port())?;
        self.permitted(&host, vec![remote.ip()]).map(|_| ())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(allow: &[&str], networks: &[&str]) -> Rules {
        let allow = allow.iter().map(|text| text.parse().unwrap());
        let networks = networks.iter().map(|text| text.parse().unwrap());
        Rules::new(allow.collect(), networks.collect())
    }

    fn host(text: &str) -> Host {
        Host::parse(text).unwrap()
    }

    #[test]
    fn without_patterns_everything_is_refused() {
        let rules = Rules::default();
        let denial = rules.permit_host(&host("example.org"), 443).unwrap_err();
        assert!(matches!(denial, Denial::NotAllowed { port: 443, .. }));
        let denial = rules.patterns_of(&host("example.org")).unwrap_err();
        assert!(matches!(denial, Denial::NameNotAllowed(_)));
        assert!(rules.permit_socket("8.8.8.8:53".parse().unwrap()).is_err());
    }

    /// A name that an attacker's resolver answers with an address inside.
    #[test]
    fn an_allowed_name_does_not_lead_inside() {
        let rules = rules(&["*:443"], &[]);
        let name = host("rebind.example");
        rules.permit_host(&name, 443).unwrap();
        let inside = vec!["169.254.169.254".parse().unwrap(), "::1".parse().unwrap()];
        let denial = rules.permitted(&name, inside).unwrap_err();
        assert_eq!(denial.rule(), "outbound-private");
        let mixed = vec!["10.0.0.1".parse().unwrap(), "8.8.8.8".parse().unwrap()];
        let permitted = rules.permitted(&name, mixed).unwrap();
        assert_eq!(permitted, ["8.8.8.8".parse::<IpAddr>().unwrap()]);
    }

    #[test]
    fn a_socket_needs_a_pattern_and_an_address_that_is_allowed() {
        let rules = rules(
            &["127.0.0.1:6379", "10.0.0.1:80", "*.example:443"],
            &["127.0.0.0/8"],
        );
        let permit = |text: &str| rules.permit_socket(text.parse().unwrap());
        permit("127.0.0.1:6379").unwrap();
        permit("[::ffff:127.0.0.1]:6379").unwrap();
        assert_eq!(
            permit("127.0.0.1:80").unwrap_err().rule(),
            "outbound-denied"
        );
        assert_eq!(
            permit("10.0.0.1:80").unwrap_err().rule(),
            "outbound-private"
        );
        assert_eq!(permit("8.8.8.8:443").unwrap_err().rule(), "outbound-denied");
    }
}

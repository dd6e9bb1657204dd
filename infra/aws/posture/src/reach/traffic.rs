//! Sets of protocols and ports.

use std::collections::BTreeMap;
use std::fmt;

/// The protocols that the model distinguishes. A rule about any kind of ICMP, or about any other protocol without ports,
/// counts as one about all of that kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Protocol {
    Tcp,
    Udp,
    Icmp,
    Other,
}

/// The first and the last port of a range.
type Range = (u16, u16);

/// A set of ports of protocols.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Traffic(BTreeMap<Protocol, Vec<Range>>);

impl Protocol {
    const ALL: [Self; 4] = [Self::Tcp, Self::Udp, Self::Icmp, Self::Other];
}

impl Traffic {
    pub(crate) fn none() -> Self {
        Self::default()
    }

    pub(crate) fn all() -> Self {
        Protocol::ALL
            .into_iter()
            .map(|protocol| Self::range(protocol, 0, u16::MAX))
            .fold(Self::none(), |all, one| all.union(&one))
    }

    pub(crate) fn range(protocol: Protocol, first: u16, last: u16) -> Self {
        Self(BTreeMap::from([(protocol, vec![(first, last)])]))
    }

    pub(crate) fn tcp(port: u16) -> Self {
        Self::range(Protocol::Tcp, port, port)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn is_subset(&self, other: &Self) -> bool {
        self.difference(other).is_empty()
    }

    pub(crate) fn union(&self, other: &Self) -> Self {
        self.combine(other, |own, others| {
            let mut ranges: Vec<Range> = own.iter().chain(others).copied().collect();
            ranges.sort_unstable();
            ranges.into_iter().fold(Vec::new(), |mut merged, next| {
                match merged.last_mut() {
                    Some(last) if next.0 <= last.1.saturating_add(1) => last.1 = last.1.max(next.1),
                    _ => merged.push(next),
                }
                merged
            })
        })
    }

    pub(crate) fn intersection(&self, other: &Self) -> Self {
        self.combine(other, |own, others| {
            let pairs = own.iter().flat_map(|a| others.iter().map(move |b| (a, b)));
            pairs
                .map(|(a, b)| (a.0.max(b.0), a.1.min(b.1)))
                .filter(|(first, last)| first <= last)
                .collect()
        })
    }

    pub(crate) fn difference(&self, other: &Self) -> Self {
        self.combine(other, |own, others| {
            others.iter().fold(own.to_vec(), |left, taken| {
                left.into_iter()
                    .flat_map(|range| subtract(range, *taken))
                    .collect()
            })
        })
    }

    /// The part of one protocol.
    pub(crate) fn of_protocol(&self, protocol: Protocol) -> Self {
        self.intersection(&Self::range(protocol, 0, u16::MAX))
    }

    fn combine(&self, other: &Self, with: impl Fn(&[Range], &[Range]) -> Vec<Range>) -> Self {
        let of = |traffic: &Self, protocol| traffic.0.get(&protocol).cloned().unwrap_or_default();
        let combined = Protocol::ALL.into_iter().map(|protocol| {
            let ranges = with(&of(self, protocol), &of(other, protocol));
            (protocol, ranges)
        });
        Self(combined.filter(|(_, ranges)| !ranges.is_empty()).collect())
    }
}

/// The parts of a range outside of another.
fn subtract(range: Range, taken: Range) -> Vec<Range> {
    if taken.1 < range.0 || range.1 < taken.0 {
        return vec![range];
    }
    let before = (taken.0 > range.0).then(|| (range.0, taken.0.saturating_sub(1)));
    let after = (taken.1 < range.1).then(|| (taken.1.saturating_add(1), range.1));
    before.into_iter().chain(after).collect()
}

impl fmt::Display for Traffic {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        if *self == Self::all() {
            return out.write_str("everything");
        }
        if self.is_empty() {
            return out.write_str("nothing");
        }
        let parts = self.0.iter().map(|(protocol, ranges)| match protocol {
            Protocol::Tcp => format!("tcp {}", ports(ranges)),
            Protocol::Udp => format!("udp {}", ports(ranges)),
            Protocol::Icmp => "icmp".to_owned(),
            Protocol::Other => "other protocols".to_owned(),
        });
        out.write_str(&parts.collect::<Vec<_>>().join(", "))
    }
}

fn ports(ranges: &[Range]) -> String {
    let shown = ranges.iter().map(|(first, last)| {
        if first == last {
            first.to_string()
        } else {
            format!("{first}-{last}")
        }
    });
    shown.collect::<Vec<_>>().join(" and ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn set_operations_keep_ranges_normalized() {
        let high = Traffic::range(Protocol::Tcp, 1024, 65535);
        let left = high.difference(&Traffic::tcp(3306));
        assert_eq!(left.to_string(), "tcp 1024-3305 and 3307-65535");
        assert_eq!(left.union(&Traffic::tcp(3306)), high);
        assert!(left.intersection(&Traffic::tcp(3306)).is_empty());
        assert!(left.is_subset(&high) && !high.is_subset(&left));
        assert!(high.difference(&Traffic::all()).is_empty());
    }
}

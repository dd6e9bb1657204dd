//! Sets of protocols and ports.

use std::collections::BTreeMap;
use std::fmt;

/// What security groups and network ACLs distinguish. Every protocol that has no ports of its own
/// here is one of the last two, so that a rule about any of them counts as one about all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Protocol {
    Tcp,
    Udp,
    Icmp,
    Other,
}

/// The first and the last port of a range.
type Range = (u16, u16);

/// Which ports of which protocols.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Traffic(BTreeMap<Protocol, Vec<Range>>);

impl Protocol {
    const ALL: [Self; 4] = [Self::Tcp, Self::Udp, Self::Icmp, Self::Other];
}

impl Traffic {
    pub(crate) fn nothing() -> Self {
        Self::default()
    }

    pub(crate) fn everything() -> Self {
        Protocol::ALL
            .into_iter()
            .map(|protocol| Self::of(protocol, 0, u16::MAX))
            .fold(Self::nothing(), |all, one| all.and(&one))
    }

    pub(crate) fn of(protocol: Protocol, first: u16, last: u16) -> Self {
        Self(BTreeMap::from([(protocol, vec![(first, last)])]))
    }

    pub(crate) fn tcp(port: u16) -> Self {
        Self::of(Protocol::Tcp, port, port)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn within(&self, other: &Self) -> bool {
        self.but(other).is_empty()
    }

    /// Both together.
    pub(crate) fn and(&self, other: &Self) -> Self {
        self.combine(other, |mine, theirs| {
            let mut ranges: Vec<Range> = mine.iter().chain(theirs).copied().collect();
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

    /// What is in both.
    pub(crate) fn common(&self, other: &Self) -> Self {
        self.combine(other, |mine, theirs| {
            let pairs = mine.iter().flat_map(|a| theirs.iter().map(move |b| (a, b)));
            pairs
                .map(|(a, b)| (a.0.max(b.0), a.1.min(b.1)))
                .filter(|(first, last)| first <= last)
                .collect()
        })
    }

    /// What is in this one alone.
    pub(crate) fn but(&self, other: &Self) -> Self {
        self.combine(other, |mine, theirs| {
            theirs.iter().fold(mine.to_vec(), |left, taken| {
                left.into_iter()
                    .flat_map(|range| cut(range, *taken))
                    .collect()
            })
        })
    }

    /// The part of one protocol.
    pub(crate) fn only(&self, protocol: Protocol) -> Self {
        self.common(&Self::of(protocol, 0, u16::MAX))
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

/// What is left of a range.
fn cut(range: Range, taken: Range) -> Vec<Range> {
    if taken.1 < range.0 || range.1 < taken.0 {
        return vec![range];
    }
    let before = (taken.0 > range.0).then(|| (range.0, taken.0.saturating_sub(1)));
    let after = (taken.1 < range.1).then(|| (taken.1.saturating_add(1), range.1));
    before.into_iter().chain(after).collect()
}

impl fmt::Display for Traffic {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        if *self == Self::everything() {
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
    fn what_is_taken_away_is_gone_and_nothing_else() {
        let high = Traffic::of(Protocol::Tcp, 1024, 65535);
        let left = high.but(&Traffic::tcp(3306));
        assert_eq!(left.to_string(), "tcp 1024-3305 and 3307-65535");
        assert_eq!(left.and(&Traffic::tcp(3306)), high);
        assert!(left.common(&Traffic::tcp(3306)).is_empty());
        assert!(left.within(&high) && !high.within(&left));
        assert!(high.but(&Traffic::everything()).is_empty());
    }
}

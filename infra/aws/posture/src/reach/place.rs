//! Addresses, as rules see them.

use std::net::Ipv4Addr;

use ipnet::Ipv4Net;

/// Addresses that never arrive from the internet.
const PRIVATE: [(Ipv4Addr, u8); 6] = [
    (Ipv4Addr::new(10, 0, 0, 0), 8),
    (Ipv4Addr::new(172, 16, 0, 0), 12),
    (Ipv4Addr::new(192, 168, 0, 0), 16),
    (Ipv4Addr::new(100, 64, 0, 0), 10),
    (Ipv4Addr::new(169, 254, 0, 0), 16),
    (Ipv4Addr::LOCALHOST, 8),
];

/// Where packets come from or go to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Place {
    /// Any address of a subnet.
    Subnet(Ipv4Net),
    /// Any public address: the internet, and AWS services that a gateway endpoint leads to.
    Public,
}

/// How sure a statement about all addresses of a place has to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sure {
    /// It holds for some of them: what an attacker needs.
    Possible,
    /// It holds for all of them: what a listed flow needs.
    Certain,
}

/// How much of a place a block of addresses has in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cover {
    Whole,
    Part,
    Nothing,
}

impl Cover {
    pub(crate) fn of(block: Ipv4Net, place: Place) -> Self {
        match place {
            Place::Subnet(subnet) if block.contains(&subnet) => Self::Whole,
            Place::Subnet(subnet) if subnet.contains(&block) => Self::Part,
            Place::Public if block.prefix_len() == 0 => Self::Whole,
            Place::Public if !is_private(block) => Self::Part,
            Place::Subnet(_) | Place::Public => Self::Nothing,
        }
    }

    pub(crate) fn is_enough(self, sure: Sure) -> bool {
        match sure {
            Sure::Possible => self != Self::Nothing,
            Sure::Certain => self == Self::Whole,
        }
    }
}

/// Whether a block has private addresses only.
pub(crate) fn is_private(block: Ipv4Net) -> bool {
    let mut ranges = PRIVATE
        .into_iter()
        .filter_map(|(address, length)| Ipv4Net::new(address, length).ok());
    ranges.any(|range| range.trunc().contains(&block))
}

/// Whether a block is the machine itself: what a rule names that means to name nobody.
pub(crate) fn is_loopback(block: Ipv4Net) -> bool {
    block.addr().is_loopback() && block.prefix_len() >= 8
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn private_blocks_have_nothing_of_the_internet() {
        let cover = |block: &str| Cover::of(block.parse().unwrap(), Place::Public);
        assert_eq!(cover("0.0.0.0/0"), Cover::Whole);
        assert_eq!(cover("0.0.0.0/1"), Cover::Part);
        assert_eq!(cover("203.0.113.7/32"), Cover::Part);
        assert_eq!(cover("10.4.0.0/16"), Cover::Nothing);
        assert_eq!(cover("127.0.0.1/32"), Cover::Nothing);
    }

    #[test]
    fn a_part_is_possible_and_not_certain() {
        let subnet = Place::Subnet("10.0.16.0/20".parse().unwrap());
        let part = Cover::of("10.0.16.0/24".parse().unwrap(), subnet);
        assert!(part.is_enough(Sure::Possible) && !part.is_enough(Sure::Certain));
        let other = Cover::of("10.0.32.0/20".parse().unwrap(), subnet);
        assert!(!other.is_enough(Sure::Possible));
    }
}

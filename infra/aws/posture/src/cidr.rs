//! `Fn::Cidr`: the subnets of a network.

use ipnet::IpNet;
use ipnet::Ipv4Net;
use std::net::Ipv4Addr;

/// The first `count` networks of `bits` host bits in `block`.
///
/// # Errors
/// When the block or the size is not valid, or the block is too small.
pub(crate) fn subnets(block: &str, count: usize, bits: u8) -> Result<Vec<String>, String> {
    let Ok(IpNet::V4(block)) = block.parse::<IpNet>() else {
        return Err(format!("{block} is not an IPv4 network"));
    };
    let length = 32_u8
        .checked_sub(bits)
        .filter(|length| *length >= block.prefix_len());
    let length = length.ok_or_else(|| format!("no network of {bits} host bits fits in {block}"))?;
    let first = u32::from(block.network());
    let networks = (0_u32..).take(count).map(|index| {
        let offset = index.checked_shl(u32::from(bits))?;
        let address = Ipv4Addr::from(first.checked_add(offset)?);
        let network = Ipv4Net::new(address, length).ok()?;
        block.contains(&network).then(|| network.to_string())
    });
    let networks: Option<Vec<String>> = networks.collect();
    networks.ok_or_else(|| format!("{block} does not hold {count} networks of {bits} host bits"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_follow_each_other_and_stay_inside() {
        let first = subnets("10.0.0.0/16", 3, 8).unwrap();
        assert_eq!(first, ["10.0.0.0/24", "10.0.1.0/24", "10.0.2.0/24"]);
        assert!(subnets("10.0.0.0/24", 3, 7).is_err());
    }
}

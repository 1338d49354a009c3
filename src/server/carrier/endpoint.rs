//! The addresses of a stream that Node still owns, as one number: JavaScript needs them of every connection, and Node makes an
//! object for each answer.

use std::net::IpAddr;
use std::net::SocketAddr;
use std::os::fd::BorrowedFd;

use socket2::SockRef;

/// Set when an IPv4 address was written as IPv6 (`::ffff:127.0.0.1`), as on a dual-stack server.
const IS_MAPPED: u64 = 1 << 48;

/// The peer's IPv4 address and port, packed: the port in the lower 16 bits, then the address, then whether it is mapped into IPv6.
/// Nothing for other addresses, and for a stream without one.
pub fn packed_peer(stream: BorrowedFd<'_>) -> Option<u64> {
    pack(SockRef::from(&stream).peer_addr().ok()?.as_socket()?)
}

/// The same of our own end.
pub fn packed_local(stream: BorrowedFd<'_>) -> Option<u64> {
    pack(SockRef::from(&stream).local_addr().ok()?.as_socket()?)
}

fn pack(endpoint: SocketAddr) -> Option<u64> {
    let (address, mapped) = match endpoint.ip() {
        IpAddr::V4(address) => (address, 0),
        IpAddr::V6(address) => (address.to_ipv4_mapped()?, IS_MAPPED),
    };
    Some(mapped | u64::from(address.to_bits()) << 16 | u64::from(endpoint.port()))
}

#[cfg(test)]
mod tests {
    use std::net::Ipv6Addr;

    use super::*;

    #[test]
    fn ipv4_and_mapped_addresses_are_packed_and_others_are_not() {
        let pack = |text: &str| pack(text.parse().expect("an address"));
        assert_eq!(pack("1.2.3.4:5"), Some(0x0102_0304_0005));
        assert_eq!(pack("255.255.255.255:65535"), Some(0xffff_ffff_ffff));
        assert_eq!(pack("[::ffff:1.2.3.4]:5"), Some(0x1_0102_0304_0005));
        assert_eq!(pack("[::1]:5"), None);
        assert_eq!(pack(&format!("[{}]:5", Ipv6Addr::UNSPECIFIED)), None);
    }
}

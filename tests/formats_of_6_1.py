"""The tracepoints' `format` files as Linux 6.1 on x86_64 prints them, and records in that layout.

Written from the kernel's sources (include/trace/events/sock.h, tcp.h, skb.h of v6.1): other
offsets than today's, no socket in skb:kfree_skb, no reason and no sockaddr in tcp:tcp_send_reset.
"""

import socket
import struct

_COMMON = """format:
	field:unsigned short common_type;	offset:0;	size:2;	signed:0;
	field:unsigned char common_flags;	offset:2;	size:1;	signed:0;
	field:unsigned char common_preempt_count;	offset:3;	size:1;	signed:0;
	field:int common_pid;	offset:4;	size:4;	signed:1;

"""
_SOCKET_AND_PACKET = """	field:const void * skbaddr;	offset:8;	size:8;	signed:0;
	field:const void * skaddr;	offset:16;	size:8;	signed:0;
	field:int state;	offset:24;	size:4;	signed:1;
	field:__u16 sport;	offset:28;	size:2;	signed:0;
	field:__u16 dport;	offset:30;	size:2;	signed:0;
	field:__u16 family;	offset:32;	size:2;	signed:0;
	field:__u8 saddr[4];	offset:34;	size:4;	signed:0;
	field:__u8 daddr[4];	offset:38;	size:4;	signed:0;
	field:__u8 saddr_v6[16];	offset:42;	size:16;	signed:0;
	field:__u8 daddr_v6[16];	offset:58;	size:16;	signed:0;

print fmt: "skbaddr=%p skaddr=%p family=%s sport=%hu dport=%hu saddr=%pI4 daddr=%pI4 \
saddrv6=%pI6c daddrv6=%pI6c state=%s", REC->skbaddr, REC->skaddr, \
__print_symbolic(REC->family, { 2, "AF_INET" }, { 10, "AF_INET6" }), REC->sport, REC->dport, \
REC->saddr, REC->daddr, REC->saddr_v6, REC->daddr_v6, __print_symbolic(REC->state, \
{ TCP_ESTABLISHED, "TCP_ESTABLISHED" }, { TCP_SYN_SENT, "TCP_SYN_SENT" })
"""
_SOCKET = """	field:const void * skaddr;	offset:8;	size:8;	signed:0;
	field:__u16 sport;	offset:16;	size:2;	signed:0;
	field:__u16 dport;	offset:18;	size:2;	signed:0;
	field:__u16 family;	offset:20;	size:2;	signed:0;
	field:__u8 saddr[4];	offset:22;	size:4;	signed:0;
	field:__u8 daddr[4];	offset:26;	size:4;	signed:0;
	field:__u8 saddr_v6[16];	offset:30;	size:16;	signed:0;
	field:__u8 daddr_v6[16];	offset:46;	size:16;	signed:0;
	field:__u64 sock_cookie;	offset:64;	size:8;	signed:0;

print fmt: "family=%s sport=%hu dport=%hu", REC->family, REC->sport, REC->dport
"""
_REQUEST = """	field:const void * skaddr;	offset:8;	size:8;	signed:0;
	field:const void * req;	offset:16;	size:8;	signed:0;
	field:__u16 sport;	offset:24;	size:2;	signed:0;
	field:__u16 dport;	offset:26;	size:2;	signed:0;
	field:__u16 family;	offset:28;	size:2;	signed:0;
	field:__u8 saddr[4];	offset:30;	size:4;	signed:0;
	field:__u8 daddr[4];	offset:34;	size:4;	signed:0;
	field:__u8 saddr_v6[16];	offset:38;	size:16;	signed:0;
	field:__u8 daddr_v6[16];	offset:54;	size:16;	signed:0;

print fmt: "sport=%hu dport=%hu", REC->sport, REC->dport
"""
_STATE = """	field:const void * skaddr;	offset:8;	size:8;	signed:0;
	field:int oldstate;	offset:16;	size:4;	signed:1;
	field:int newstate;	offset:20;	size:4;	signed:1;
	field:__u16 sport;	offset:24;	size:2;	signed:0;
	field:__u16 dport;	offset:26;	size:2;	signed:0;
	field:__u16 family;	offset:28;	size:2;	signed:0;
	field:__u16 protocol;	offset:30;	size:2;	signed:0;
	field:__u8 saddr[4];	offset:32;	size:4;	signed:0;
	field:__u8 daddr[4];	offset:36;	size:4;	signed:0;
	field:__u8 saddr_v6[16];	offset:40;	size:16;	signed:0;
	field:__u8 daddr_v6[16];	offset:56;	size:16;	signed:0;

print fmt: "family=%s protocol=%s", __print_symbolic(REC->family, { 2, "AF_INET" }, \
{ 10, "AF_INET6" }), __print_symbolic(REC->protocol, { 6, "IPPROTO_TCP" })
"""
_DROP = """	field:void * skbaddr;	offset:8;	size:8;	signed:0;
	field:void * location;	offset:16;	size:8;	signed:0;
	field:unsigned short protocol;	offset:24;	size:2;	signed:0;
	field:enum skb_drop_reason reason;	offset:28;	size:4;	signed:0;

print fmt: "skbaddr=%p protocol=%u location=%p reason: %s", REC->skbaddr, REC->protocol, \
REC->location, __print_symbolic(REC->reason, { 1, "NOT_SPECIFIED" }, { 2, "NO_SOCKET" }, \
{ 3, "PKT_TOO_SMALL" }, { 7, "NETFILTER_DROP" }, { 36, "TCP_OFOMERGE" })
"""
TEXTS = {
    name: f"name: {name.partition(':')[2]}\nID: {number}\n{_COMMON}{fields}"
    for number, (name, fields) in enumerate(
        {
            "sock:inet_sock_set_state": _STATE,
            "tcp:tcp_retransmit_skb": _SOCKET_AND_PACKET,
            "tcp:tcp_retransmit_synack": _REQUEST,
            "tcp:tcp_send_reset": _SOCKET_AND_PACKET,
            "tcp:tcp_receive_reset": _SOCKET,
            "skb:kfree_skb": _DROP,
        }.items(),
        start=1000,
    )
}


def mapped(ip: str) -> bytes:
    """An IPv4 address as the kernel writes it into a field of sixteen bytes."""
    return bytes(10) + b"\xff\xff" + socket.inet_aton(ip)


def state_record(
    skaddr: int, change: tuple[int, int], local: tuple[str, int], remote: tuple[str, int]
) -> bytes:
    """A record of sock:inet_sock_set_state; flags 0: in the task that was running."""
    ips = socket.inet_aton(local[0]) + socket.inet_aton(remote[0])
    return (
        struct.pack("=HBBiQiiHHHH", 1000, 0, 0, 77, skaddr, *change, local[1], remote[1], 2, 6)
        + ips
        + mapped(local[0])
        + mapped(remote[0])
    )


def reset_record(skaddr: int, local: tuple[str, int], remote: tuple[str, int]) -> bytes:
    """A record of tcp:tcp_send_reset."""
    head = struct.pack("=HBBiQQiHHH", 1003, 0x10, 0, 77, 5, skaddr, 1, local[1], remote[1], 2)
    ips = socket.inet_aton(local[0]) + socket.inet_aton(remote[0])
    return head + ips + mapped(local[0]) + mapped(remote[0])


def drop_record(packet: int, reason: int) -> bytes:
    """A record of skb:kfree_skb."""
    return struct.pack("=HBBiQQHHi", 1005, 0x10, 0, 77, packet, 0, 0x0800, 0, reason)

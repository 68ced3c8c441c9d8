"""Builds the frames of plans (see packet-plan.ts) with scapy: a JSON list on stdin, a JSON list of hex digits on stdout."""

import json
import logging
import sys

logging.getLogger("scapy").setLevel(logging.ERROR)
from scapy.layers.inet import ICMP, IP, TCP, UDP, IPOption_Router_Alert
from scapy.layers.inet6 import (
    ICMPv6EchoReply,
    ICMPv6EchoRequest,
    IPv6,
    IPv6ExtHdrDestOpt,
    IPv6ExtHdrFragment,
    IPv6ExtHdrHopByHop,
    PadN,
)
from scapy.layers.l2 import ARP, Dot1AD, Dot1Q, Ether
from scapy.packet import Raw


def tagged(plan):
    frame = Ether(dst=plan["destination"], src=plan["source"])
    for index, tag in enumerate(plan["tags"]):
        kind = Dot1AD if index == 0 and len(plan["tags"]) == 2 else Dot1Q
        frame /= kind(prio=tag["priority"], id=int(tag["dropEligible"]), vlan=tag["id"])
    return frame


def traffic(net):
    return net["dscp"] << 2 | net["ecn"]


def options(padding):
    return [PadN(optdata=b"\0" * padding)]


def network(plan):
    net = plan["network"]
    if net["kind"] == "ipv4":
        part = net["fragment"]
        flags = (2 if net["dontFragment"] else 0) | (1 if part["moreFragments"] else 0)
        alert = net["routerAlert"]
        return IP(
            src=net["source"], dst=net["destination"], tos=traffic(net), ttl=net["ttl"], id=part["identification"],
            flags=flags, frag=part["fragmentBytes"] // 8,
            options=[] if alert is None else [IPOption_Router_Alert(alert=alert)],
        )
    packet = IPv6(src=net["source"], dst=net["destination"], tc=traffic(net), fl=net["flowLabel"], hlim=net["hopLimit"])
    if net["hopByHop"] is not None:
        packet /= IPv6ExtHdrHopByHop(options=options(net["hopByHop"]))
    if net["destinationOptions"] is not None:
        packet /= IPv6ExtHdrDestOpt(options=options(net["destinationOptions"]))
    if net["fragment"] is not None:
        part = net["fragment"]
        packet /= IPv6ExtHdrFragment(
            offset=part["fragmentBytes"] // 8, m=int(part["moreFragments"]), id=part["identification"]
        )
    return packet


def transport(plan):
    t = plan["transport"]
    if t["kind"] == "udp":
        return UDP(sport=t["sourcePort"], dport=t["destinationPort"])
    if t["kind"] == "tcp":
        chosen = []
        if t["mss"] is not None:
            chosen.append(("MSS", t["mss"]))
        if t["timestamps"] is not None:
            chosen.append(("Timestamp", tuple(t["timestamps"])))
        return TCP(
            sport=t["sourcePort"], dport=t["destinationPort"], seq=t["sequence"], ack=t["acknowledgement"],
            flags=t["flags"], window=t["window"], urgptr=t["urgent"], options=chosen,
        )
    if t["kind"] == "icmp":
        return ICMP(type=t["type"], id=t["identifier"], seq=t["sequence"])
    echo = ICMPv6EchoRequest if t["type"] == 128 else ICMPv6EchoReply
    return echo(id=t["identifier"], seq=t["sequence"], data=bytes.fromhex(plan["payload"]))


def frame(plan):
    net = plan["network"]
    if net["kind"] == "arp":
        return tagged(plan) / ARP(
            op=net["operation"], hwsrc=plan["source"], psrc=net["sender"], hwdst=plan["destination"], pdst=net["target"]
        )
    packet = tagged(plan) / network(plan) / transport(plan)
    payload = bytes.fromhex(plan["payload"])
    return packet if plan["transport"]["kind"] == "icmpv6" or not payload else packet / Raw(payload)


json.dump([bytes(frame(plan)).hex() for plan in json.load(sys.stdin)], sys.stdout)

package containers

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strings"
	"sync/atomic"
	"syscall"

	"github.com/moby/moby/api/types/network"
	"github.com/testcontainers/testcontainers-go"
	tcnetwork "github.com/testcontainers/testcontainers-go/network"
)

// DefaultSubnets is where the networks of components are taken from, unless Options say otherwise: room for 8192 of them.
var DefaultSubnets = netip.MustParsePrefix("10.213.0.0/16")

const (
	subnetBits = 29  // the network's own address, the harness, the component, four that nobody has, and the broadcast
	attempts   = 200 // that may find their subnet taken
)

// nextSubnet goes round, so that runs at the same time in this process differ; other processes begin elsewhere.
var nextSubnet atomic.Uint32

func init() { nextSubnet.Store(uint32(os.Getpid()) * 97) }

// lan is the network of one component.
type lan struct {
	network            *testcontainers.DockerNetwork
	harness, component netip.Addr
	holder             string                  // container that holds the component's address
	lent               map[string]net.Listener // of those whom the component dials by names
}

// subnet is the n-th subnet of a range, and of the range again.
func subnet(all netip.Prefix, n uint32) netip.Prefix {
	n %= 1 << max(0, subnetBits-all.Bits())
	a := all.Masked().Addr().As4()
	at := uint32(a[0])<<24 | uint32(a[1])<<16 | uint32(a[2])<<8 | uint32(a[3])
	at += n << (32 - subnetBits)
	return netip.PrefixFrom(netip.AddrFrom4([4]byte{byte(at >> 24), byte(at >> 16), byte(at >> 8), byte(at)}), subnetBits)
}

// newNetwork makes the network of a component, in the next subnet that neither the engine nor this machine uses.
func newNetwork(ctx context.Context, all netip.Prefix, labels map[string]string) (lan, error) {
	used, err := ownAddresses()
	if err != nil {
		return lan{}, err
	}
	var last error
	for range attempts {
		sub := subnet(all, nextSubnet.Add(1))
		if overlaps(sub, used) {
			last = fmt.Errorf("%s is in use on this machine", sub)
			continue
		}
		s := lan{harness: sub.Addr().Next(), component: sub.Addr().Next().Next()}
		s.network, err = tcnetwork.New(ctx, tcnetwork.WithInternal(), tcnetwork.WithLabels(labels), tcnetwork.WithIPAM(&network.IPAM{
			Driver: "default", Config: []network.IPAMConfig{{Subnet: sub, Gateway: s.harness}},
		}))
		switch {
		case err == nil:
			return s, reachable(s.harness)
		case ctx.Err() != nil || !strings.Contains(err.Error(), "overlap"):
			return lan{}, fmt.Errorf("make network: %w", err)
		}
		last = err
	}
	return lan{}, fmt.Errorf("make network: no free subnet found in %s; the last one: %w; wreckon cleanup removes what killed runs left, "+
		"and another range can be given: see wreckon doctor", all, last)
}

// reachable tells whether the harness can listen where a component will look for it.
func reachable(gateway netip.Addr) error {
	l, err := net.Listen("tcp", net.JoinHostPort(gateway.String(), "0"))
	if errors.Is(err, syscall.EADDRNOTAVAIL) {
		return fmt.Errorf("listen at %s: the networks of the container engine are not on this machine (it runs in a virtual machine, as Docker "+
			"Desktop does, or elsewhere, or wreckon itself is in a container without --network host): that is not supported", gateway)
	}
	if err != nil {
		return fmt.Errorf("listen for components: %w", err)
	}
	return l.Close()
}

// ownAddresses are the subnets of this machine's interfaces.
func ownAddresses() ([]netip.Prefix, error) {
	addrs, err := net.InterfaceAddrs()
	if err != nil {
		return nil, fmt.Errorf("list addresses of this machine: %w", err)
	}
	var all []netip.Prefix
	for _, a := range addrs {
		if p, err := netip.ParsePrefix(a.String()); err == nil {
			all = append(all, p.Masked())
		}
	}
	return all, nil
}

func overlaps(p netip.Prefix, used []netip.Prefix) bool {
	for _, u := range used {
		if u.Overlaps(p) {
			return true
		}
	}
	return false
}

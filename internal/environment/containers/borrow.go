package containers

import (
	"context"
	"fmt"
	"net"
	"path/filepath"
	"strconv"
	"time"

	"github.com/moby/moby/api/types/container"

	"github.com/wreckon/wreckon/internal/environment"
	"github.com/wreckon/wreckon/internal/environment/lent"
)

// Where the container that holds an address finds the socket, and how long it may take to hand its listeners over.
const (
	socketPath = "/wreckon.socket"
	lendWithin = 20 * time.Second
)

// borrowing is how one component's listeners come from its network to the harness. Each of those whom it dials by names has an address of its own,
// so that no two are ever after the same port; it is one of the loopback's, which are the network's own and anybody's to listen at.
type borrowing struct {
	dials  []environment.Dial
	socket string
	from   *lent.Borrower // nil: nobody is dialled by names
}

func newBorrowing(w environment.Want, sockets string) (*borrowing, error) {
	b := &borrowing{dials: w.Dials, socket: filepath.Join(sockets, w.Name)}
	if len(b.dials) == 0 {
		return b, nil
	}
	var err error
	b.from, err = lent.NewBorrower(b.socket)
	return b, err
}

// addressOf is that of the n-th who is dialled. Nothing else is in this part of the loopback's network.
func addressOf(n int) string { return net.IPv4(127, 213, byte(n/250), byte(n%250+1)).String() }

// args are what the binary that holds the address is told.
func (b *borrowing) args() []string {
	if b.from == nil {
		return nil
	}
	args := []string{socketPath}
	for n, d := range b.dials {
		args = append(args, net.JoinHostPort(addressOf(n), strconv.Itoa(d.Port)))
	}
	return args
}

// configure says the names, and mounts the socket.
func (b *borrowing) configure(c *container.HostConfig) {
	if b.from == nil {
		return
	}
	for n, d := range b.dials {
		for _, name := range d.Names {
			c.ExtraHosts = append(c.ExtraHosts, name+":"+addressOf(n))
		}
	}
	c.Binds = append(c.Binds, b.socket+":"+socketPath)
}

// take waits for the listeners.
func (b *borrowing) take(ctx context.Context) (map[string]net.Listener, error) {
	if b.from == nil {
		return nil, nil
	}
	ctx, cancel := context.WithTimeoutCause(ctx, lendWithin, fmt.Errorf("nothing came from the container in %v: it must be on this machine, and "+
		"see %s of it", lendWithin, b.socket))
	defer cancel()
	listeners, err := b.from.Take(ctx, len(b.dials))
	if err != nil {
		return nil, err
	}
	lent := map[string]net.Listener{}
	for n, d := range b.dials {
		lent[d.To] = listeners[n]
	}
	return lent, nil
}

func (b *borrowing) close() {
	if b.from != nil {
		_ = b.from.Close() // it removes the socket, whose directory is removed all the same
	}
}

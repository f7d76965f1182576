package containers_test

import (
	"net"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wreckon/wreckon/internal/environment"
	"github.com/wreckon/wreckon/internal/environment/containers"
)

// Two callees on one port, which is one that only the first user of a machine may listen at, are found by their names, and only where
// they are dialled.
func TestNamesLeadToTheHarness(t *testing.T) {
	engine(t)
	r := placeWanting(t, environment.Options{}, containers.Options{}, []environment.Want{
		{Name: "shop", Port: 8080, Hostname: "front", Dials: []environment.Dial{
			{To: "bank", Names: []string{"bank", "api.bank.example"}, Port: 80}, {To: "mail", Names: []string{"mail"}, Port: 80}}},
		{Name: "bank", Port: 80},
	})
	lent := r.places["shop"].Lent
	for name, l := range lent {
		go func() {
			for {
				c, err := l.Accept()
				if err != nil {
					return
				}
				_, _ = c.Write([]byte("this is " + name))
				c.Close()
			}
		}()
	}
	for _, name := range []string{"shop", "bank"} {
		r.Add(r.component(name))
	}
	require.NoError(t, r.StartAll(t.Context()))
	_, port, err := net.SplitHostPort(r.places["shop"].Listen)
	require.NoError(t, err)
	assert.Equal(t, "8080", port)
	assert.Contains(t, r.ask(t, "shop", "/env"), "HOSTNAME=front")
	said := func() map[string]string {
		all := map[string]string{}
		for _, addr := range []string{"bank:80", "api.bank.example:80", "mail:80", "bank:8080", "worker:80"} {
			all[addr] = r.ask(t, "shop", "/dial", "addr", addr)
		}
		return all
	}
	for range 2 {
		all := said()
		assert.Equal(t, "this is bank<nil>", all["bank:80"])
		assert.Equal(t, "this is bank<nil>", all["api.bank.example:80"])
		assert.Equal(t, "this is mail<nil>", all["mail:80"])
		assert.Contains(t, all["bank:8080"], "connection refused", "the real one is nowhere else")
		assert.Contains(t, all["worker:80"], "lookup worker", "who is not dialled has no name")
		require.NoError(t, r.Kill(t.Context(), "shop")) // the names outlive it
		require.NoError(t, r.Start(t.Context(), "shop"))
	}
	assert.Contains(t, r.ask(t, "bank", "/dial", "addr", "mail:80"), "lookup mail")

	require.NoError(t, lent["mail"].Close())
	assert.Contains(t, r.ask(t, "shop", "/dial", "addr", "mail:80"), "connection refused")
	require.NoError(t, lent["bank"].Close())
	_, err = net.DialTimeout("tcp", lent["bank"].Addr().String(), time.Second)
	require.Error(t, err, "on this machine nobody listens there")
}

package file

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wreckon/wreckon/targets"
)

func TestAComponentSaysHowItIsRunInAContainer(t *testing.T) {
	d, problems := Parse("/shop/target.yaml", []byte(whole))
	require.Empty(t, problems)
	target, err := d.New(targets.Wiring{Token: "secret", Listen: map[string]string{"shop": "10.0.0.1:80", "db": "10.0.0.2:5432"},
		Control: map[string]string{"shop": "10.0.0.1:81", "db": "10.0.0.2:81"}, Dial: map[string]string{}})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, target.Close()) })
	launches := map[string]*targets.Container{}
	for _, l := range target.Launches() {
		launches[l.Component] = l.Container
	}
	assert.Equal(t, map[string]*targets.Container{
		"shop": nil,
		"db":   {Image: "postgres:15", Args: []string{"-p", "5432"}, Env: []string{"POSTGRES_PASSWORD=secret"}},
	}, launches)
	_, problems = Parse("/shop/target.yaml", []byte(strings.Replace(whole, `POSTGRES_PASSWORD: "${token}"`, `POSTGRES_PASSWORD: "${tokne}"`, 1)))
	assert.ErrorContains(t, problems, "tokne")
}

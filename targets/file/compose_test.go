package file

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wreckon/wreckon/targets"
)

const composeFile = `
services:
  api:
    image: shop
    command: [api]
    environment: {DB: "postgres://u@db:5432/x", PAYMENTS_URL: "${PAYMENTS_URL:-https://pay.example}", SMTP: "mail:25"}
    ports: ["8080:8080"]
    depends_on: {db: {condition: service_healthy}, mail: {condition: service_started}}
  db:
    image: postgres:15
    hostname: database
  mail: {image: mailhog}
  migrate: {image: shop, command: [migrate]}
  report: {image: shop, depends_on: {migrate: {condition: service_completed_successfully}}, networks: [apart]}
networks: {apart: }
`

const composeTarget = `
target: shop
compose: compose.yaml
variables: {PAYMENTS_URL: "http://payments:9000"}
components:
  api: {ready: {http: /healthz}, container: {env: {PAYMENTS_AT: "${to.payments}"}}}
edges:
  - {from: client, to: api, protocol: http}
submit: {to: api, request: POST /orders, body: '{"id": "${unit}"}'}
sinks:
  payments: {routes: [{request: POST /charges, step: charge, unit: body.order}]}
  mail: {port: 25, names: [smtp.example], routes: [{request: POST /mail, step: mail, unit: body.order}]}
idle: {silence: 1s}
claims: {unit: order}
`

// composed writes a target file and its compose file, and gives the path of the first.
func composed(t *testing.T, target, compose string) string {
	t.Helper()
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "compose.yaml"), []byte(compose), 0o644))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "target.yaml"), []byte(target), 0o644))
	return filepath.Join(dir, "target.yaml")
}

func TestServicesAreComponents(t *testing.T) {
	target, problems := Load(composed(t, composeTarget, composeFile))
	require.Empty(t, problems, "%v", problems)
	assert.True(t, target.Contained)
	assert.Equal(t, []targets.Component{
		{Name: "api", Port: 8080, Names: []string{"api"}},
		{Name: "db", Port: 5432, Names: []string{"db", "database"}, Hostname: "database"},
		{Name: "migrate", Faults: []string{}},
		{Name: "report"},
		{Name: "payments", External: true, Port: 9000, Names: []string{"payments"}},
		{Name: "mail", External: true, Port: 25, Names: []string{"mail", "smtp.example"}},
		{Name: "client", About: "the workload's clients", External: true},
	}, target.Topology.Components, "what is a sink is not started")
	assert.Equal(t, []targets.Edge{
		{From: "client", To: "api", Protocol: targets.HTTP}, {From: "api", To: "payments", Protocol: targets.HTTP},
		{From: "api", To: "mail", Protocol: targets.HTTP}, {From: "api", To: "db", Protocol: targets.Postgres},
	}, target.Topology.Edges, "a port that is known makes an edge; that one waits for the other does not")

	made, err := target.New(targets.Wiring{Listen: map[string]string{"api": "10.0.0.2:8080", "db": "10.0.1.2:5432"}, Control: map[string]string{},
		Dial: map[string]string{"api -> payments": "127.213.0.1:9000"}})
	require.NoError(t, err)
	defer func() { require.NoError(t, made.Close()) }()
	launches := map[string]targets.Launch{}
	for _, l := range made.Launches() {
		launches[l.Component] = l
	}
	require.Len(t, launches, 4)
	api := launches["api"].Container
	assert.Equal(t, []string{"DB=postgres://u@db:5432/x", "PAYMENTS_URL=http://payments:9000", "SMTP=mail:25", "PAYMENTS_AT=127.213.0.1:9000"}, api.Env)
	require.Len(t, api.After, 1, "it does not wait for who is not started")
	assert.Equal(t, "db", api.After[0].Component)
	assert.NotNil(t, launches["db"].Ready, "it is asked what anyone may ask of a PostgreSQL")
	assert.Nil(t, launches["report"].Ready, "it serves nobody")
	assert.True(t, launches["migrate"].Container.Once)
}

func TestWhatDoesNotFitTheComposeFileIsSaid(t *testing.T) {
	for _, c := range []struct{ name, old, new, says string }{
		{"an unknown service", "  api: {ready", "  apy: {ready: {http: /}}\n  api: {ready", `target.yaml:6:8: error: `},
		{"which was meant", "  api: {ready", "  apy: {ready: {http: /}}\n  api: {ready", `no service "apy" (did you mean "api"?)`},
		{"a command", "api: {ready: {http: /healthz}", "api: {command: [x]", "what is different of it is said as container"},
		{"no port", "edges:", "edges:\n  - {from: api, to: report}", "target.yaml:8:5: error: nobody says at which port report serves"},
		{"no network", "edges:", "edges:\n  - {from: report, to: db}", "report and db share no network"},
		{"no file", "compose: compose.yaml", "compose: nowhere.yaml", "nowhere.yaml: no such file"},
		{"nobody's edge", "${to.payments}", "${to.bank}", "there is no such edge"},
	} {
		t.Run(c.name, func(t *testing.T) {
			require.Contains(t, composeTarget, c.old)
			_, problems := Load(composed(t, strings.Replace(composeTarget, c.old, c.new, 1), composeFile))
			assert.ErrorContains(t, problems, c.says)
		})
	}
	_, problems := Load(composed(t, composeTarget, strings.Replace(composeFile, "  db:\n", "  db:\n    privileged: true\n", 1)))
	assert.ErrorContains(t, problems, "compose.yaml:10:5: error: privileged is not supported")
	_, problems = Load(composed(t, composeTarget, composeFile+"x-more: {a: 1}\n"))
	assert.Empty(t, problems)
	_, problems = Load(composed(t, strings.NewReplacer("compose: compose.yaml\n", "", "components:", "profiles: [a]\ncomponents:").Replace(composeTarget), composeFile))
	assert.ErrorContains(t, problems, "profiles are those of a compose file")
}

package compose

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wreckon/wreckon/internal/container"
	"github.com/wreckon/wreckon/targets"
)

// write puts files into a directory, by their names, and gives the path of compose.yaml.
func write(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		path := filepath.Join(dir, name)
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
		require.NoError(t, os.WriteFile(path, []byte(text), 0o644))
	}
	return filepath.Join(dir, "compose.yaml")
}

func load(t *testing.T, o Options, files map[string]string) (*Project, string) {
	t.Helper()
	path := write(t, files)
	p, problems := Load(path, o)
	require.Empty(t, problems, "%v", problems)
	return p, filepath.Dir(path)
}

const shop = `
name: shop
x-common: &common
  restart: always
  logging: {driver: json-file}
services:
  api:
    <<: *common
    build: {context: ./api, dockerfile: Containerfile, target: last, args: {VERSION: "1"}}
    image: mine/api
    entrypoint: [/api]
    command: serve --port 8080
    environment: {DB: "postgres://u:${PASSWORD}@db:5432/shop", EMPTY: "", FROM_OUTSIDE: , QUEUE_HOST: queue}
    env_file: more.env
    ports: ["80:8080"]
    user: "1000:1000"
    working_dir: /srv
    group_add: [audio]
    stop_signal: SIGQUIT
    stop_grace_period: 20s
    hostname: front
    init: true
    read_only: true
    cap_add: [NET_BIND_SERVICE]
    cap_drop: [ALL]
    mem_limit: 64m
    shm_size: 8m
    cpus: 0.5
    tmpfs: ["/tmp:size=1m"]
    secrets: [token]
    volumes: [data:/data, ./conf:/etc/conf:ro, ./var:/var/mine, /anonymous, {type: tmpfs, target: /run}, {type: tmpfs, target: /small, tmpfs: {size: 1m, mode: 0o1770}}]
    healthcheck: {test: curl -f localhost, timeout: 3s}
    depends_on:
      migrate: {condition: service_completed_successfully}
      db: {condition: service_healthy}
      queue: {condition: service_started}
    networks: {back: {aliases: [shop.internal]}, front: }
    container_name: the-api
  migrate:
    image: mine/api
    command: [migrate]
    depends_on: [db]
    networks: [back]
  db:
    image: registry.example/library/postgres:15
    networks: [back]
    healthcheck: {disable: true}
  queue:
    image: redis
    networks: [back]
    links: ["db:database"]
  alone:
    image: nats:2
    expose: ["4222"]
    networks: [elsewhere]
    environment: {DB: "db:5432"}
  extra:
    image: nats:2
    profiles: [more]
networks: {back: , front: , elsewhere: }
volumes: {data: }
secrets: {token: {file: ./token}}
`

func TestAServiceIsAComponent(t *testing.T) {
	t.Setenv("FROM_OUTSIDE", "here")
	p, dir := load(t, Options{}, map[string]string{"compose.yaml": shop, ".env": "PASSWORD=geheim\n", "more.env": "MORE=1\n", "api/Containerfile": "FROM scratch\n",
		"conf/a": "", "var/b": "", "token": "t"})
	names := []string{}
	for _, s := range p.Services {
		names = append(names, s.Name)
	}
	assert.Equal(t, []string{"api", "migrate", "db", "queue", "alone"}, names, "in the order of the file; what is in another profile is not there")
	api, ok := p.Find("api")
	require.True(t, ok)
	one := "1"
	assert.Equal(t, container.Spec{
		Image: "mine/api", Build: &container.Build{Context: filepath.Join(dir, "api"), Dockerfile: "Containerfile", Target: "last", Args: map[string]*string{"VERSION": &one}},
		Entrypoint: []string{"/api"}, Args: []string{"serve", "--port", "8080"},
		Env:  []string{"DB=postgres://u:geheim@db:5432/shop", "EMPTY=", "FROM_OUTSIDE=here", "MORE=1", "QUEUE_HOST=queue"},
		User: "1000:1000", Groups: []string{"audio"}, Dir: "/srv", StopSignal: "SIGQUIT", Init: true, ReadOnly: true,
		CapAdd: []string{"NET_BIND_SERVICE"}, CapDrop: []string{"ALL"}, Memory: 64 << 20, Shared: 8 << 20, CPUs: 0.5,
		Tmpfs: []string{"/tmp:size=1m", "/run", "/small:size=1048576,mode=1770"},
		Mounts: []container.Mount{
			{Path: "/data", Volume: "data"}, {Path: "/etc/conf", Source: filepath.Join(dir, "conf"), ReadOnly: true},
			{Path: "/var/mine", Source: filepath.Join(dir, "var")}, {Path: "/anonymous"},
			{Path: "/run/secrets/token", Source: filepath.Join(dir, "token"), ReadOnly: true},
		},
		Health: &container.Health{Command: []string{"/bin/sh", "-c", "curl -f localhost"}, Within: 3 * time.Second},
		After:  []container.After{{Component: "db", When: container.Ready}, {Component: "migrate", When: container.Ended}, {Component: "queue", When: container.Started}},
	}, api.Container)
	assert.Equal(t, []string{"api", "the-api", "front", "shop.internal"}, api.Names)
	assert.Equal(t, "front", api.Hostname)
	assert.Equal(t, 20*time.Second, api.Grace)
	assert.Equal(t, 8080, api.Port())
	migrate, _ := p.Find("migrate")
	assert.True(t, migrate.Container.Once, "somebody waits until it has done its work")
	db, _ := p.Find("db")
	assert.Equal(t, []string{"db", "database"}, db.Names)
	assert.Equal(t, &container.Health{}, db.Container.Health, "it is not asked")
	assert.Equal(t, 5432, db.Port(), "known by its image")

	edges := p.Edges([]Party{{Name: "payments", Names: []string{"payments", "api.pay.example"}}})
	assert.Equal(t, []Edge{
		{From: "api", To: "db", Protocol: targets.Postgres, Port: 5432}, {From: "api", To: "queue"},
		{From: "migrate", To: "db"}, {From: "queue", To: "db"},
	}, edges, "who waits for a job does not dial it, and who shares no network cannot")
	more, _ := load(t, Options{Profiles: []string{"more"}, Variables: map[string]string{"PASSWORD": "other"}}, map[string]string{
		"compose.yaml": shop, ".env": "PASSWORD=geheim\n", "more.env": "", "api/Containerfile": "", "conf/a": "", "var/b": "", "token": "t"})
	_, ok = more.Find("extra")
	assert.True(t, ok)
	api, _ = more.Find("api")
	assert.Contains(t, api.Container.Env, "DB=postgres://u:other@db:5432/shop", "what the target file says counts for more than .env")
}

// Where an address stands in a text it is found, and where a name is only a word it is not.
func TestAnAddressIsAnEdge(t *testing.T) {
	for text, want := range map[string]*Edge{
		"DB: postgres://u:p@bank:5433/x?y=z":     {Protocol: targets.Postgres, Port: 5433},
		"URL: http://bank":                       {Protocol: targets.HTTP, Port: 80},
		"URL: http://bank/charges":               {Protocol: targets.HTTP, Port: 80},
		"URL: https://bank/charges":              {},
		"URL: http://bank:8080":                  {Protocol: targets.HTTP, Port: 8080},
		"ADDRS: other:1,bank:2":                  {Port: 2},
		"OPTS: -a --url=amqp://g:g@bank:5672/":   {Protocol: targets.AMQP, Port: 5672},
		"BANK_HOST: bank":                        {},
		"MODE: bank":                             nil,
		"TEXT: the bank is here":                 nil,
		"URL: http://bank.example":               nil,
		"URL: http://my-bank:80":                 nil,
		"URL: http://bank-two:80":                nil,
		"URL: http://example/bank:80":            nil,
		"DSN: host=bank port=5432":               nil, // no more than words
		"URL: http://pay.example:8443/x":         {Protocol: targets.HTTP, Port: 8443},
		"JDBC: jdbc:postgresql://bank:5432/shop": {Protocol: targets.Postgres, Port: 5432},
	} {
		p, _ := load(t, Options{}, map[string]string{"compose.yaml": "services:\n  shop:\n    image: shop\n    environment:\n      " + text + "\n  other: {image: x}\n"})
		edges := slices.DeleteFunc(p.Edges([]Party{{Name: "bank", Names: []string{"bank", "pay.example"}}}), func(e Edge) bool { return e.To != "bank" })
		if want == nil {
			assert.Empty(t, edges, text)
			continue
		}
		want.From, want.To = "shop", "bank"
		assert.Equal(t, []Edge{*want}, edges, text)
	}
}

// Whatever is not supported is said by its name and at its place.
func TestWhatIsNotSupportedIsRefused(t *testing.T) {
	for _, c := range []struct{ name, text, at, says string }{
		{"a key", "services:\n  a:\n    image: x\n    privileged: true\n", ":4:5", "privileged is not supported"},
		{"a key in a merge", "x-c: &c\n  pid: host\nservices:\n  a:\n    <<: *c\n    image: x\n", ":4:3", "pid is not supported"},
		{"hosts", "services:\n  a:\n    image: x\n    extra_hosts: [\"a:1.2.3.4\"]\n", ":4:5", "extra_hosts is not supported"},
		{"two of one", "services:\n  a:\n    image: x\n    deploy: {replicas: 2}\n", ":2:3", "2 of a are not supported"},
		{"an external volume", "services:\n  a:\n    image: x\n    volumes: [v:/v]\nvolumes:\n  v: {external: true}\n", ":6:3", "is somebody's"},
		{"a driver", "services:\n  a:\n    image: x\n    volumes: [v:/v]\nvolumes:\n  v: {driver: nfs}\n", ":6:3", "driver and driver_opts are not supported"},
		{"a missing mount", "services:\n  a:\n    image: x\n    volumes: [\"./none:/v:ro\"]\n", ":4:15", "none is not there"},
		{"a socket", "services:\n  a:\n    image: x\n    volumes: [\"/dev/null:/v\"]\n", ":4:15", "neither a file nor a directory"},
		{"an inline Dockerfile", "services:\n  a:\n    build:\n      context: .\n      dockerfile_inline: FROM scratch\n", ":5:7", "build.dockerfile_inline is not supported"},
		{"no context", "services:\n  a:\n    build: ./none\n", ":3:5", "is no directory of this machine"},
		{"a secret of the environment", "services:\n  a: {image: x, secrets: [s]}\nsecrets: {s: {environment: PATH}}\n", ":2:17", "only those of a file are"},
		{"a secret that is missing", "services:\n  a: {image: x, secrets: [s]}\nsecrets: {s: {file: ./none}}\n", ":2:17", "none is not there"},
		{"an address", "services:\n  a:\n    image: x\n    networks: {n: {ipv4_address: 10.9.9.9}}\nnetworks: {n: }\n", ":4:5", "addresses of a are not supported"},
		{"what Compose does not know", "services:\n  a:\n    imagee: x\n", ":2:3", "imagee"},
		{"an unknown service", "services:\n  a:\n    image: x\n    depends_on: [b]\n", ":2:3", "depends on undefined service"},
		{"a variable that must be set", "services:\n  a:\n    image: ${NO_SUCH_VARIABLE:?must be set}\n", ":3:5", "must be set"},
		{"no YAML", "services: [\n", ":2:1", "not valid YAML"},
		{"nothing", "", ":1:1", "a compose file begins with services:"},
	} {
		t.Run(c.name, func(t *testing.T) {
			path := write(t, map[string]string{"compose.yaml": c.text})
			_, problems := Load(path, Options{})
			require.NotEmpty(t, problems)
			said := problems.Error()
			assert.Contains(t, said, path+c.at, said)
			assert.Contains(t, said, c.says)
		})
	}
}

// Every key of the specification is decided on.
func TestNoKeyIsInTwoPlaces(t *testing.T) {
	for key := range honoured {
		assert.NotContains(t, silent, key)
		assert.NotContains(t, refused, key)
	}
	for key, why := range refused {
		assert.NotContains(t, silent, key)
		assert.NotEmpty(t, strings.TrimSpace(why), key)
	}
}

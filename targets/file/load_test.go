package file

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v4"

	"github.com/wreckon/wreckon/history"
	"github.com/wreckon/wreckon/internal/document"
	"github.com/wreckon/wreckon/targets"
)

// whole is a file with everything in it that a file can have.
const whole = `
target: shop
about: Takes orders.
components:
  shop:
    command: [./bin/shop, -listen, "${listen}", 7]
    env: {PAYMENTS: "http://${to.payments}", DB: "postgres://${to.db.host}:${to.db.port}/shop", PRICE: $$5, DEBUG: true}
    dir: .
    ready: {http: /healthz, control: true}
    faults: [crash, pause]
  db:
    command: [postgres, -D, "${data}"]
    ready: {exec: [pg_isready, -p, "${listen.port}"]}
    container: {image: "postgres:15", command: [-p, "${listen.port}"], env: {POSTGRES_PASSWORD: "${token}"}}
    database: postgres://shop@${listen}/shop
    faults: []
  bank:
    address: 10.1.2.3:443
edges:
  - {from: client, to: shop, protocol: http}
  - {from: shop, to: db, protocol: postgres}
  - {from: shop, to: payments, protocol: http}
  - {from: shop, to: bank}
mix:
  happy: {card: valid}
  declined: {card: declined}
submit:
  to: shop
  request: POST /orders
  headers: {Idempotency-Key: "${key}"}
  body: '{"id": "${unit}", "amount": ${amount}, "card": "${card}"}'
  ok: [201, 202]
  fail: [4xx]
  answer: body.id
read: {to: shop, request: "GET /orders/${unit}", state: body.state, version: header.ETag, note: body.note}
amend: {to: shop, request: "PATCH /orders/${unit}", headers: {If-Match: '"${version}"'}, body: '{"note": "${note}"}', version: header.ETag}
sinks:
  payments:
    about: charges cards
    routes:
      - request: POST /charges/{order}
        step: charge
        unit: path.order
        key: header.Idempotency-Key
        value: body.amount
        trace: header.traceparent
        refuse: [{when: body.card, is: declined, status: 402, body: '{"no": "${unit}"}'}]
        answer: {status: 201, headers: {X-Kind: charge}, body: '{"charge": "${id}"}'}
states: {from: {database: db, query: "SELECT id, state FROM orders"}, unit: id, state: state}
observed:
  - {from: {database: db, query: "SELECT * FROM holds"}, step: hold, unit: order_id, state: state, in_force: [held]}
audit:
  - {from: {component: shop, request: "GET /trail?after=${cursor}", items: entries}, id: n, unit: order, transition: what, sequence: n, at: at}
dead_letters: {from: {component: shop, request: GET /dead, control: true}, unit: order}
totals:
  - {name: stock, from: {database: db, query: "SELECT sum(n) FROM stock"}}
idle:
  silence: 1s
  queued:
    - {from: {database: db, query: "SELECT count(*) FROM outbox WHERE NOT sent"}}
claims:
  unit: order
  steps:
    - {name: charge, does: charged, required: true}
    - {name: hold, observed: true}
  states: {open: [new], completed: paid}
  totals: [{name: stock, equals: 5, terms: [{observed: stock}]}]
`

func TestAFileMakesATarget(t *testing.T) {
	got, problems := Parse("/shop/target.yaml", []byte(whole))
	require.Empty(t, problems, "%v", problems)
	assert.Equal(t, "shop", got.Name)
	assert.Equal(t, "/shop/target.yaml", got.File)
	assert.Equal(t, []string{"happy", "declined"}, got.Mix, "the first is the usual one")
	assert.Equal(t, []targets.Component{
		{Name: "shop", Faults: []string{"crash", "pause"}}, {Name: "db", Faults: []string{}, Sessions: true}, {Name: "bank", External: true, Foreign: true},
		{Name: "payments", About: "charges cards", External: true}, {Name: "client", About: "the workload's clients", External: true},
	}, got.Topology.Components)
	assert.Equal(t, targets.Edge{From: "shop", To: "bank", Protocol: targets.TCP}, got.Topology.Edges[3])
	assert.Equal(t, []string{history.FeedEffects, history.FeedAudit, history.FeedStates, history.FeedSteps, history.FeedReads, history.FeedLetters,
		history.FeedTotals, history.FeedTraces}, got.Claims.Feeds)
	assert.Equal(t, "o-", got.Claims.Prefix)
	assert.Equal(t, "shop", got.Claims.Target)
	assert.Empty(t, got.Lacks)
}

// A database that is not the component's own may be somebody's: nothing is done to it.
func TestADatabaseElsewhereIsOnlyRead(t *testing.T) {
	for url, want := range map[string]bool{"postgres://shop@${listen}/shop": true, "postgres://shop@${listen.host}:${listen.port}/shop": true,
		"postgres://shop@db.example/shop": false} {
		got, problems := Parse("/shop/target.yaml", []byte(strings.Replace(whole, "postgres://shop@${listen}/shop", url, 1)))
		require.Empty(t, problems, "%v", problems)
		db, ok := got.Topology.Component("db")
		require.True(t, ok)
		assert.Equal(t, want, db.Sessions, url)
	}
}

// What a file leaves out is not claimed to be seen.
func TestWhatIsNotDeclaredIsNotTested(t *testing.T) {
	got, problems := Parse("shop.yaml", []byte(least))
	require.Empty(t, problems, "%v", problems)
	assert.Empty(t, got.Claims.Feeds)
	assert.Equal(t, []string{"read", "amend"}, got.Lacks)
	assert.Equal(t, "unit", got.Claims.Unit)
	assert.Nil(t, got.Topology.Components[0].Faults, "all may be done to it")
}

const least = `target: shop
components:
  shop: {command: [shop]}
edges:
  - {from: client, to: shop, protocol: http}
submit: {to: shop, request: POST /orders}
idle: {silence: 1s}
claims: {}
`

func TestWhatIsWrongIsSaidWithItsPlaceAndWhatWouldBeRight(t *testing.T) {
	for name, tc := range map[string]struct {
		old, new string // in the file that is right
		want     []string
	}{
		"misspelt key":          {"dir: .", "dri: .", []string{`:8:5: error: unknown key "dri" in shop (did you mean "dir"?)`}},
		"no command":            {"command: [postgres, -D, \"${data}\"]", "about: a database", []string{":12:5: error: db has no command: say how it is started, as in command: [./db], or its address"}},
		"both":                  {"address: 10.1.2.3:443", "{address: 10.1.2.3:443, command: [bank]}", []string{"bank has a command and an address"}},
		"no port":               {"address: 10.1.2.3:443", "address: bank", []string{`"bank" is no address: write HOST:PORT`}},
		"env of a stranger":     {"address: 10.1.2.3:443", "{address: '10.1.2.3:443', env: {A: 1}}", []string{"bank runs already: env, dir, ready, container, faults, database and broker are for what Wreckon starts"}},
		"name that is nothing":  {"-listen, \"${listen}\"", "-listen, \"${lisen}\"", []string{`:6:36: error: ${lisen} stands for nothing here (did you mean "listen"?)`, "known: control, control.host"}},
		"no such edge":          {"http://${to.payments}", "http://${to.bnk}", []string{"${to.bnk} stands for nothing here: there is no such edge"}},
		"no end":                {"${to.payments}", "${to.payments", []string{"has no end: write ${NAME}"}},
		"ready of two kinds":    {"{http: /healthz, control: true}", "{http: /healthz, exec: [true]}", []string{"ready is one of http and exec"}},
		"fault of another kind": {"faults: [crash, pause]", "faults: [crash, partition]", []string{"must be one of crash, pause, terminate, disconnect, cpu-limit, out-of-memory, end-sessions"}},
		"edge to nobody":        {"{from: shop, to: bank}", "{from: shop, to: bunk}", []string{`"bunk" is none of them (did you mean "bank"?)`, "known: bank, db, payments, shop"}},
		"edge from a stranger":  {"{from: shop, to: bank}", "{from: bank, to: shop}", []string{`"bank" is none of them`, "known: client, db, shop"}},
		"edge to itself":        {"{from: shop, to: bank}", "{from: shop, to: shop}", []string{"shop does not connect to itself"}},
		"edge twice":            {"{from: shop, to: bank}", "{from: shop, to: db}", []string{"the edge shop -> db is there twice: it was given in entry 2"}},
		"no client":             {"{from: client, to: shop, protocol: http}", "{from: db, to: shop}", []string{"clients have no edge to shop: add {from: client, to: shop, protocol: http} to edges"}},
		"client's protocol":     {"{from: client, to: shop, protocol: http}", "{from: client, to: shop}", []string{"must be of protocol http"}},
		"status":                {"ok: [201, 202]", "ok: [2001]", []string{`"2001" is none: want a status such as 201, or 2xx`}},
		"method":                {"request: POST /orders\n", "request: /orders\n", []string{`"/orders" is none: want a method and a path, as in POST /orders`}},
		"place":                 {"answer: body.id", "answer: id", []string{`"id" is no place in it: write body.NAME, header.NAME`}},
		"class without name":    {"declined: {card: declined}", "declined: {}", []string{"declined does not say card, and others do"}},
		"name is taken":         {"happy: {card: valid}", "happy: {card: valid, unit: a}", []string{"unit stands for something already"}},
		"amend without reads":   {"note: body.note}", "lags: true}", []string{"amend needs version, here and in read, and note in read"}},
		"read without state":    {"state: body.state, ", "", []string{"read has no state"}},
		"sink without edge":     {"  - {from: shop, to: payments, protocol: http}\n", "", []string{"nobody has an edge to payments: add one, as in {from: shop, to: payments, protocol: http}"}},
		"two callers":           {"{from: shop, to: bank}", "{from: db, to: payments}", []string{"shop, db all have an edge to payments: say which of them asks for this, as in component: shop"}},
		"unknown step":          {"step: charge\n", "step: chrage\n", []string{`claims.steps have no "chrage" (did you mean "charge"?)`}},
		"pattern":               {"POST /charges/{order}", "POST /charges/{order", []string{"error: POST /charges/{order"}},
		"refusal elsewhere":     {"when: body.card", "when: card", []string{`"card" is no place in it`}},
		"answer":                {"{\"charge\": \"${id}\"}", "${name}", []string{"${name} stands for nothing here"}},
		"rows from nowhere":     {"{component: shop, request: GET /dead, control: true}", "{request: GET /dead}", []string{"rows come from a component, by its HTTP interface, from a database, or from a broker"}},
		"rows of a stranger":    {"{component: shop, request: GET /dead, control: true}", "{component: bank, request: GET /dead}", []string{`"bank" is none of them`}},
		"rows by POST":          {"GET /dead", "POST /dead", []string{"a component is asked by a request, as in request: GET /entries"}},
		"cursor out of place":   {"request: GET /dead", "request: \"GET /dead?after=${cursor}\"", []string{"${cursor} is for what grows"}},
		"no database":           {"database: db, query: \"SELECT id", "database: shop, query: \"SELECT id", []string{"shop has no database: say how Wreckon connects to it"}},
		"no query":              {"database: db, query: \"SELECT * FROM holds\"", "database: db", []string{"a database is asked by a query"}},
		"never idle":            {"  silence: 1s\n  queued:\n    - {from: {database: db, query: \"SELECT count(*) FROM outbox WHERE NOT sent\"}}\n", "  {}\n", []string{"idle says nothing: give silence"}},
		"required and unseen":   {"{name: hold, observed: true}", "{name: hold, observed: true}\n    - {name: ship, required: true}", []string{"ship is required, and nothing shows it"}},
		"not observed":          {"{name: hold, observed: true}", "{name: hold}", []string{"claims.steps must say observed: true of hold"}},
		"feeds":                 {"  unit: order\n", "  unit: order\n  feeds: [audit]\n", []string{"what can be observed follows from what the file declares: leave feeds out"}},
		"a claim's form":        {"does: charged", "doess: charged", []string{`unknown key "doess"`, `did you mean "does"?`}},
		"name of a client":      {"  bank:\n", "  client:\n", []string{"client is the name of the workload's clients"}},
		"no name":               {"target: shop\n", "target: My Shop\n", []string{"target: \"My Shop\" is none"}},
		"rows and sinks":        {"observed:\n", "effects:\n  - {from: {database: db, query: \"SELECT 1\"}, id: id, unit: id, step: charge}\nobserved:\n", []string{"do not go together with sinks"}},
	} {
		t.Run(name, func(t *testing.T) {
			require.Equal(t, 1, strings.Count(whole, tc.old), "the test changes one place")
			_, problems := Parse("/shop/target.yaml", []byte(strings.Replace(whole, tc.old, tc.new, 1)))
			require.NotEmpty(t, problems)
			assert.Regexp(t, `^/shop/target.yaml:\d+:\d+: error: `, problems.Error())
			for _, want := range tc.want {
				assert.Contains(t, problems.Error(), want)
			}
		})
	}
	_, problems := Load(filepath.Join(t.TempDir(), "none.yaml"))
	require.ErrorContains(t, problems, "none.yaml: error: read file")
}

// What no broker has, and what no message has, is said with its place.
func TestMessagesAreDeclaredAsTheirBrokerHasThem(t *testing.T) {
	src := strings.NewReplacer("URL", "nats://${listen}", "PAID", "subject: paid", "TRAIL", "stream: ORDERS", "KEY", "header.Key").Replace(published)
	_, problems := Parse("shop.yaml", []byte(src))
	require.Empty(t, problems, "%v", problems)
	for name, c := range map[string]struct{ old, text, want string }{
		"scheme":           {"nats://", "kafka://", `:5:33: error: "kafka://${listen}" is no broker that Wreckon can read: write nats://${listen}, redis://${listen}/0 or amqp`},
		"name":             {"nats://${listen}", "nats://${lisen}", "${lisen} stands for nothing here"},
		"no broker":        {"broker: bus, stream", "broker: shop, stream", "shop is no broker: say how Wreckon connects to it"},
		"of another":       {"subject: paid", "exchange: paid", ":11:36: error: bus has no exchange: say subject"},
		"nowhere":          {", subject: paid}, step", "}, step", "say where its messages are read: subject"},
		"two places":       {"nats://${listen}", "redis://${listen}/0", "bus has no subject: say stream, channel or, for dead letters, list"},
		"request":          {"stream: ORDERS", "stream: ORDERS, request: GET /x", "request, headers, items, control and query are for components and databases"},
		"stream of a shop": {"{broker: bus, stream: ORDERS}", "{component: shop, request: GET /x, stream: ORDERS}", "are for what a broker has"},
		"id":               {"step: charge, ", "step: charge, id: body.id, ", "a message is taken once, and what is published twice is two: leave id out"},
		"no id":            {"{broker: bus, stream: ORDERS}", "{component: shop, request: GET /x}", "id is missing: the field that is a row's own"},
		"place":            {"value: body.amount", "value: amount", `"amount" is no place in a message: write body.NAME, header.NAME, subject or id`},
		"when":             {"body.type: parcel", "type: parcel", `"type" is no place in a message`},
		"states":           {"idle:", "states: {from: {broker: bus, stream: S}, unit: body.a, state: body.b}\nidle:", "messages are for what happens"},
		"no order":         {"subject: paid}, when: {body.type: parcel}, step: ship", "stream: S}, undo: true, step: ship", "cannot be put in order, and something is undone"},
	} {
		t.Run(name, func(t *testing.T) {
			require.Contains(t, src, c.old)
			_, problems := Parse("shop.yaml", []byte(strings.Replace(src, c.old, c.text, 1)))
			assert.ErrorContains(t, problems, c.want)
		})
	}
}

func TestTheWholeSchemaIsUnderstood(t *testing.T) {
	s, err := document.NewSchema(schema, history.Schema())
	require.NoError(t, err)
	require.NoError(t, s.Understood("target"))
	require.NotContains(t, string(schema), `"$id"`, "what it refers to is found from where it lies")
}

// An editor sees what the program sees, as far as a schema can say it.
func TestEditorsAreToldTheSame(t *testing.T) {
	compiler := jsonschema.NewCompiler()
	for name, src := range map[string][]byte{"file:///targets/file/schema.json": Schema(), "file:///history/schema.json": history.Schema()} { // as they lie
		doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(src))
		require.NoError(t, err)
		delete(doc.(map[string]any), "$id") // an editor that goes by it would look for the other one elsewhere
		require.NoError(t, compiler.AddResource(name, doc))
	}
	compiled, err := compiler.Compile("file:///targets/file/schema.json")
	require.NoError(t, err)
	for src, right := range map[string]bool{whole: true, least: true, mistaken: true, strings.Replace(whole, "dir: .", "dri: .", 1): false,
		strings.Replace(whole, "fail: [4xx]", "fail: [4]", 1): true, strings.Replace(whole, "fail: [4xx]", "fail: [4x]", 1): false,
		strings.Replace(whole, "does: charged", "doess: charged", 1): false} {
		var plain any
		require.NoError(t, yaml.Unmarshal([]byte(src), &plain))
		text, err := json.Marshal(plain)
		require.NoError(t, err)
		instance, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
		require.NoError(t, err)
		assert.Equal(t, right, compiled.Validate(instance) == nil, "%.200s", src)
	}
}

// Each key of the language is explained, and each whole file that the page shows is right.
func TestThePageOnTargetFilesIsRight(t *testing.T) {
	page, err := os.ReadFile("../../docs/targets.md")
	require.NoError(t, err)
	shown := 0
	for _, block := range regexp.MustCompile("(?s)```yaml\n(target: .*?)```").FindAllSubmatch(page, -1) {
		shown++
		_, problems := Parse("docs/targets.md", block[1])
		assert.Empty(t, problems, "%v", problems)
	}
	assert.Positive(t, shown)
	var s struct {
		Defs map[string]struct {
			Properties map[string]any `json:"properties"`
		} `json:"$defs"`
	}
	require.NoError(t, json.Unmarshal(schema, &s))
	for name, def := range s.Defs {
		for key := range def.Properties {
			assert.Contains(t, string(page), "`"+key, "%s of %s is explained", key, name)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add(whole)
	f.Add(least)
	f.Add(mistaken)
	f.Add("target: a\ncomponents: {a: &a {command: [*a]}}\n<<: *a")
	f.Fuzz(func(t *testing.T, src string) {
		_, problems := Parse("fuzz.yaml", []byte(src))
		for _, p := range problems {
			require.NotEmpty(t, p.Message)
		}
	})
}

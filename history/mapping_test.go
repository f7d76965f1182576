package history

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func mapping(t testing.TB, rules string) *Mapping {
	t.Helper()
	var m Mapping
	require.NoError(t, m.Add(rules))
	return &m
}

// lines are the events of a history as lines, without seq.
func lines(h *History) (all []string) {
	for i := range h.Len() {
		line := string(h.AppendJSON(nil, i))
		_, rest, _ := strings.Cut(line, ",")
		all = append(all, "{"+rest)
	}
	return all
}

func TestAMappingMakesEventsOfALog(t *testing.T) {
	for name, tc := range map[string]struct {
		rules, log string
		want       []string
	}{
		"a field under another name": {
			`unit=order_id`, `{"kind":"note","order_id":"A-1","value":"x"}`,
			[]string{`{"t":0,"kind":"note","unit":"A-1","value":"x"}`},
		},
		"a nested field, and one whose name has dots": {
			"unit=order.id\nkey=`http.request id`\nstep=a.b", `{"kind":"note","order":{"id":7,"x":{"id":8}},"http.request id":"r","a.b":"charge"}`,
			[]string{`{"t":0,"kind":"note","unit":"7","step":"charge","key":"r"}`},
		},
		"values and constants": {
			"kind=\"effect\", op=\"do\", outcome=\"applied\", step=\"charge\" where event=\"charge.ok\"\nkind=\"effect\", outcome=\"refused\" where event=\"charge.no\"\nunit=id",
			`{"id":"a","event":"charge.ok"}` + "\n" + `{"id":"a","event":"charge.no"}`,
			[]string{
				`{"t":0,"kind":"effect","outcome":"applied","unit":"a","op":"do","step":"charge"}`,
				`{"t":0,"kind":"effect","outcome":"refused","unit":"a"}`,
			},
		},
		"dates": {
			"t=ts\nat=seen\nkind=\"note\"",
			`{"ts":"2026-11-21T20:04:11.204Z"}` + "\n" + `{"ts":"2026-11-21T21:04:12.2040001+01:00","seen":"2026-11-21T20:04:11.205Z"}`,
			[]string{`{"t":0,"kind":"note"}`, `{"t":1000000100,"kind":"note","at":1000000}`},
		},
		"numbers with a unit": {
			"t=ts in s\nkind=\"note\"", `{"ts":1763755451.204}` + "\n" + `{"ts":"1763755452.204000001"}`,
			[]string{`{"t":0,"kind":"note"}`, `{"t":1000000001,"kind":"note"}`},
		},
		"numbers without one are nanoseconds": {
			"t=ts\nkind=\"note\"", `{"ts":5}`, []string{`{"t":5,"kind":"note"}`},
		},
		"clients are numbered, numbers may be texts": {
			"actor=session\nattempt=n\ntoken=v\nkind=\"invoke\"", `{"session":"x","n":"2","v":"7"}` + "\n" + `{"session":9}` + "\n" + `{"session":"x"}`,
			[]string{`{"t":0,"kind":"invoke","actor":1,"attempt":2,"token":7}`, `{"t":0,"kind":"invoke","actor":2}`, `{"t":0,"kind":"invoke","actor":1}`},
		},
		"the first rule that has something to give": {
			"unit=a\nunit=b\nunit=\"none\"\nkind=\"note\"", `{"b":2,"a":1}` + "\n" + `{"b":2,"a":null}` + "\n" + `{}`,
			[]string{`{"t":0,"kind":"note","unit":"1"}`, `{"t":0,"kind":"note","unit":"2"}`, `{"t":0,"kind":"note","unit":"none"}`},
		},
		"a field that is there and means something else": {
			"value=\"\"\nkey=\"\" where internal", `{"kind":"note","value":1,"key":2,"internal":true}`, []string{`{"t":0,"kind":"note"}`},
		},
		"conditions": {
			"kind=\"ok\" where status=200 and not error\nkind=\"fail\" where status!=200 and status\nkind=\"info\" where error # nobody knows",
			`{"status":200}` + "\n" + `{"status":409}` + "\n" + `{"status":200,"error":"x"}` + "\n" + `{"status":"200"}` + "\n" + `{"error":"#"}`,
			[]string{`{"t":0,"kind":"ok"}`, `{"t":0,"kind":"fail"}`, `{"t":0,"kind":"info"}`, `{"t":0,"kind":"ok"}`, `{"t":0,"kind":"info"}`},
		},
		"one more event of a line": {
			"first kind=\"invoke\", value=\"\" where event=\"accepted\"\nkind=\"ok\" where event=\"accepted\"\nop=\"submit\"\nunit=id\nvalue=state",
			`{"seq":4,"event":"accepted","id":"a","state":"pending"}`,
			[]string{`{"t":0,"kind":"invoke","unit":"a","op":"submit"}`, `{"t":0,"kind":"ok","unit":"a","op":"submit","value":"pending"}`},
		},
		"nothing but one more event": {
			"first kind=\"note\" where a\nvalue=a", `{"a":1}`, []string{`{"t":0,"kind":"note","value":"1"}`},
		},
		"the instants decide the order": {
			"order by t\nt=ts in ms\nkind=\"note\"\nvalue=v\nat=ts in ms", `{"ts":30,"v":"c"}` + "\n" + `{"ts":10,"v":"a"}` + "\n" + `{"ts":30,"v":"d"}` + "\n" + `{"ts":20,"v":"b"}`,
			[]string{`{"t":0,"kind":"note","value":"a"}`, `{"t":10000000,"kind":"note","value":"b","at":10000000}`,
				`{"t":20000000,"kind":"note","value":"c"}`, `{"t":20000000,"kind":"note","value":"d"}`},
		},
	} {
		t.Run(name, func(t *testing.T) {
			h, err := Import{Mapping: mapping(t, tc.rules)}.Read(strings.NewReader(tc.log))
			require.NoError(t, err)
			require.Equal(t, tc.want, lines(h))
		})
	}
}

func TestWhatAMappingLeavesOutIsCounted(t *testing.T) {
	rules := "skip where level=\"debug\"\nskip otherwise\nskip text\nkind=\"note\" where say\nvalue=say\nt=ts"
	log := "starting up\n" + `{"level":"debug","say":"x"}` + "\n" + `{"level":"info"}` + "\n" + `{"level":"info","say":"hello","ts":"2026-11-21T20:04:11Z","pid":1}` +
		"\n[1,2]\n" + `{"level":"warn","say":"bye","ts":"2026-11-21T20:04:10Z","host":"a"}`
	h, err := Import{Mapping: mapping(t, rules)}.Read(strings.NewReader(log))
	require.NoError(t, err)
	require.Equal(t, 2, h.Len())
	require.Equal(t, []string{
		"1 line was left out by the rule skip where level=\"debug\", first line 2",
		"1 line was left out by the rule skip otherwise, first line 3",
		"2 lines were left out by the rule skip text, first line 1",
		"t goes back 1 time, first at line 6: the order of the lines decides; the rule order by t has the instants decide",
		"no rule reads these fields, and they were left out: pid, host",
	}, h.Warnings)
	require.Equal(t, time.Date(2026, 11, 21, 20, 4, 11, 0, time.UTC), h.Header.Start)

	_, err = Import{Mapping: mapping(t, "skip otherwise")}.Read(strings.NewReader(`{"a":1}`))
	require.ErrorIs(t, err, ErrNotHistory)
	require.ErrorContains(t, err, "no event of any of its lines")
}

func TestALineThatAMappingCannotRead(t *testing.T) {
	for name, tc := range map[string]struct {
		rules, line string
		column      int
		want        string
	}{
		"no kind":          {"unit=id", `{"id":"a"}`, 0, "no rule gives it a kind"},
		"no unit":          {"unit=id\nunit=order.id\nkind=\"effect\"", `{"order_id":"a"}`, 0, "no rule gives this effect its unit: want id or order.id in the line"},
		"no client":        {"actor=session\nkind=\"ok\"", `{"id":"a"}`, 0, "no rule gives this ok its actor: want session in the line"},
		"no instant":       {"t=ts\nkind=\"note\"", `{"id":"a"}`, 0, "no rule gives this note its t"},
		"a word":           {"kind=event", `{"event":"charged"}`, 10, `kind "charged" does not exist; want one of invoke, ok`},
		"a near word":      {"kind=event", `{"event":"effects"}`, 10, `did you mean "effect"?; by the rule kind=event`},
		"a date":           {"t=ts\nkind=\"note\"", `{"ts":"yesterday"}`, 7, `t: want an instant as 2026-11-21T20:04:11.204Z`},
		"a number":         {"t=ts in ms\nkind=\"note\"", `{"ts":1e3}`, 7, "t: want a plain decimal number in ms"},
		"a far date":       {"t=ts\nkind=\"note\"", `{"ts":"9999-01-01T00:00:00Z"}`, 7, "want an instant"},
		"there twice":      {"unit=a.b\nkind=\"note\"", `{"a.b":1,"a":{"b":2}}`, 15, `the field "a.b" is there twice`},
		"own twice":        {"unit=a", `{"kind":"note","kind":"note"}`, 16, `the field "kind" is there twice`},
		"inside":           {"unit=a.b\nkind=\"note\"", `{"a":{"b":[1]}}`, 11, "unit: want a string or a number"},
		"an object client": {"actor=a\nkind=\"ok\"", `{"a":{}}`, 6, "actor: want a text or a number that tells clients apart"},
		"no JSON":          {"unit=a", `hello`, 1, "the rule skip text leaves out"},
		"two clocks":       {"t=a\nt=b in s\nkind=\"note\"", `{"a":"2026-11-21T20:04:11Z"}` + "\n" + `{"b":1}`, 6, "some instants of this history are dates"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Import{Mapping: mapping(t, tc.rules)}.Read(strings.NewReader(tc.line))
			var bad *TextError
			require.ErrorAs(t, err, &bad)
			require.Len(t, bad.Lines, 1)
			require.Equal(t, 1+strings.Count(tc.line, "\n"), bad.Lines[0].Line)
			require.Equal(t, tc.column, bad.Lines[0].Column, bad.Lines[0].Reason)
			require.Contains(t, bad.Lines[0].Reason, tc.want)
		})
	}
}

func TestRulesThatAreWrong(t *testing.T) {
	for rule, want := range map[string]struct {
		column int
		reason string
	}{
		`untit=a`:                     {1, `an event has no field "untit"; did you mean "unit"?`},
		`colour=a`:                    {1, `want one of seq, t, kind`},
		`unit`:                        {5, "want = and where unit comes from"},
		`unit=`:                       {6, "want the name of a field"},
		`unit=.a`:                     {6, "a dot stands between two names"},
		`=a`:                          {1, "want a field of an event"},
		`kind="efect"`:                {6, `did you mean "effect"?`},
		`actor=1a`:                    {7, "want a number"},
		`token="x"`:                   {7, "want a whole number"},
		`t=ts in h`:                   {9, "want the unit of the number: ns, us, ms or s"},
		`unit=ts in ms`:               {9, "only t and at are instants"},
		`unit=a where`:                {13, "want the name of a field"},
		`unit=a where b=c`:            {16, "want a value to compare with"},
		`unit=a where b="c" or d`:     {20, "want and, or the end of the rule"},
		`unit=a b`:                    {8, "want a comma and another field, or where and a condition"},
		`unit=a, unit=b`:              {15, "unit is given twice"},
		`unit="a`:                     {6, "the string that begins here has no end"},
		"unit=`a":                     {6, "want another backtick"},
		`skip`:                        {5, "which lines?"},
		`skip debug`:                  {6, "want a comma and another field, or where"},
		`skip otherwise please`:       {16, "nothing may follow"},
		`order by seq`:                {1, "want: order by t"},
		`first op="submit"`:           {1, "one more event needs a kind of its own"},
		"kind=\"note\"\n  kind=event": {3, `which the rule kind="note" gives to every line`},
	} {
		var m Mapping
		err := m.Add(rule)
		var bad *TextError
		require.ErrorAs(t, err, &bad, rule)
		require.Len(t, bad.Lines, 1, rule)
		require.Equal(t, 1+strings.Count(rule, "\n"), bad.Lines[0].Line)
		require.Equal(t, want.column, bad.Lines[0].Column, "%s: %s", rule, bad.Lines[0].Reason)
		require.Contains(t, bad.Lines[0].Reason, want.reason, rule)
	}
	var m Mapping
	require.NoError(t, m.Add("\n# nothing\n  \t\n"))
	require.Empty(t, m.rules)
	require.Error(t, m.Add(strings.Repeat("unit=a\n", maxRules+1)))
}

func TestARecordedHistoryTakesNoMapping(t *testing.T) {
	path := t.TempDir() + "/h.wrk"
	r, err := Create(path, Header{})
	require.NoError(t, err)
	require.NoError(t, r.Seal())
	_, err = Import{Mapping: mapping(t, "unit=id")}.Open(path)
	require.ErrorContains(t, err, "it was recorded")
	_, err = Import{Claims: &Claims{}}.Open(path)
	require.ErrorContains(t, err, "it was recorded")
}

func TestClaimsOfAnotherFileReplaceThoseOfTheHeader(t *testing.T) {
	h, err := Import{Claims: &Claims{Unit: "order"}}.Read(strings.NewReader(`{"wreckon_history":1,"claims":{"unit":"job"}}` + "\n" + `{"kind":"note"}`))
	require.NoError(t, err)
	require.Equal(t, "order", h.Header.Claims.Unit)
}

// A mapping that renames nothing reads what is read without one.
func TestAMappingThatChangesNothing(t *testing.T) {
	h := New(Header{Claims: Claims{Prefix: "o-"}})
	for _, e := range sample(300) {
		h.Append(e)
	}
	var text strings.Builder
	require.NoError(t, h.WriteJSONL(&text))
	want, err := ReadJSONL(strings.NewReader(text.String()))
	require.NoError(t, err)
	for _, rules := range []string{"", "unit=unit\nstep=step", "skip where nothing.of.it"} {
		got, err := Import{Mapping: mapping(t, rules)}.Read(strings.NewReader(text.String()))
		require.NoError(t, err, rules)
		require.Equal(t, lines(want), lines(got), rules)
	}
}

func FuzzMapping(f *testing.F) {
	log := `{"kind":"ok","ts":"2026-11-21T20:04:11Z","order":{"id":"a"},"seq":1}` + "\nplain\n" + `{"event":"x","ts":12.5}`
	f.Add("unit=order.id\nt=ts in s\nkind=\"note\" where not event=\"x\"\nskip text\norder by t", log)
	f.Add("first kind=\"invoke\" where kind\nskip otherwise\nactor=`a b`", log)
	f.Add("t=ts\nat=\"\"", log)
	f.Fuzz(func(t *testing.T, rules, log string) {
		var m Mapping
		if err := m.Add(rules); err != nil {
			var bad *TextError
			require.ErrorAs(t, err, &bad)
			for _, l := range bad.Lines {
				require.NotEmpty(t, l.Reason)
				require.Positive(t, l.Line)
			}
		}
		h, err := Import{Mapping: &m}.Read(strings.NewReader(log))
		if err != nil {
			require.NotEmpty(t, err.Error())
			return
		}
		for i := range h.Len() {
			require.NotEqual(t, KindNone, h.Kind[i])
		}
		for _, column := range []int{len(h.T), len(h.At), len(h.Unit), len(h.Op), len(h.Value), len(h.Trace), len(h.Actor), len(h.Token)} {
			require.Equal(t, h.Len(), column)
		}
		if m.byTime {
			for i := 1; i < h.Len(); i++ {
				require.LessOrEqual(t, h.T[i-1], h.T[i], fmt.Sprint(lines(h)))
			}
		}
	})
}

package history

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func jsonl(t require.TestingT, h *History) string {
	var b strings.Builder
	require.NoError(t, h.WriteJSONL(&b))
	return b.String()
}

func requireSame(t require.TestingT, want, got *History) {
	require.Equal(t, want.Header, got.Header)
	require.Equal(t, want.Sealed, got.Sealed)
	require.Equal(t, want.Lost, got.Lost)
	require.Equal(t, want.Warnings, got.Warnings)
	require.Equal(t, want.UnitNames, got.UnitNames)
	require.Equal(t, want.Len(), got.Len())
	for i := range want.Len() {
		require.Equal(t, want.Event(i), got.Event(i), "event %d", i)
	}
}

func TestTextRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		header := full()
		header.Run, header.Claims.Prefix = rapid.String().Draw(t, "run"), rapid.SampledFrom([]string{"", "o-", "é\"1"}).Draw(t, "prefix")
		h := New(header)
		h.Sealed, h.Lost = rapid.Bool().Draw(t, "sealed"), rapid.SampledFrom([]string{"", "cut short"}).Draw(t, "lost")
		for _, e := range rapid.SliceOfN(anyEvent(), 0, 30).Draw(t, "events") {
			e.T = timeGen.Draw(t, "t")
			h.Append(e)
		}
		text := jsonl(t, h)
		got, err := ReadJSONL(strings.NewReader(text))
		require.NoError(t, err)
		requireSame(t, h, got)
		require.Equal(t, text, jsonl(t, got))
	})
}

func TestTheTextForm(t *testing.T) {
	h := New(Header{Format: FormatVersion, Run: "r", Claims: Claims{Prefix: "o-"}})
	h.Append(Event{T: 1500, Kind: KindEffect, Outcome: OutcomeApplied, Unit: 16, Op: "do", Step: "charge", Component: "payments", Actor: 1,
		Attempt: 2, Key: "o-17/charge/1", Token: 9, Value: `{"amount":4990}`, Trace: "t1", At: 1400})
	h.Append(Event{Kind: KindPhase, Outcome: OutcomeBegin, Unit: NoUnit, Op: "load"})
	h.Append(Event{Kind: KindNote, Unit: NoUnit, Value: "a\tb\r\n\x01<é\u2028"})
	require.Equal(t, `{"wreckon_history":1,"run":"r","claims":{"prefix":"o-","states":{}},"sealed":false,"events":3}
{"seq":0,"t":1500,"kind":"effect","outcome":"applied","unit":"o-17","op":"do","step":"charge","component":"payments","actor":1,"attempt":2,`+
		`"key":"o-17/charge/1","token":9,"value":"{\"amount\":4990}","trace":"t1","at":1400}
{"seq":1,"t":0,"kind":"phase","outcome":"begin","op":"load"}
{"seq":2,"t":0,"kind":"note","value":"a\tb\r\n\u0001<é`+"\u2028"+`"}
`, jsonl(t, h))
	for line := range strings.Lines(jsonl(t, h)) {
		require.True(t, json.Valid([]byte(line)), line)
	}
}

func read(t *testing.T, lines ...string) *History {
	t.Helper()
	h, err := ReadJSONL(strings.NewReader(strings.Join(lines, "\n")))
	require.NoError(t, err)
	return h
}

func TestAHistoryFromElsewhere(t *testing.T) {
	h := read(t, byteOrderMark+`{"kind":"invoke","unit":"order/a","actor":1,"op":"submit","ts":"12:00"}`+"\r",
		``,
		`  { "unit" : 42 , "kind" : "effect", "outcome":"applied", "value": {"amount": 3}, "key": 7, "t": 12, "ts":"12:01", "Kinds": null }  `,
		`{"kind":"ok","unit":"order/a","value":true,"op":null,"unknown":[{"a":"]}"}]}`,
		`{"kind":"note"}`,
		`{"kind":"ok","unit":1.5e3}`)
	require.Equal(t, []string{"order/a", "42", "1.5e3"}, h.UnitNames)
	require.Equal(t, []Unit{0, 1, 0, NoUnit, 2}, h.Unit)
	require.Equal(t, "order/a", h.UnitName(0))
	require.Equal(t, "42", h.UnitName(1))
	require.Equal(t, "", h.UnitName(NoUnit))
	require.Equal(t, "4", h.UnitName(3), "a unit that did not appear has the id that the harness would give it")
	require.Equal(t, Event{Kind: KindInvoke, Unit: 0, Actor: 1, Op: "submit"}, h.Event(0))
	require.Equal(t, Event{Seq: 1, T: 12, Kind: KindEffect, Outcome: OutcomeApplied, Unit: 1, Value: `{"amount": 3}`, Key: "7"}, h.Event(1))
	require.Equal(t, "true", h.Event(2).Value)
	require.Equal(t, []string{
		`the field "ts" is not known and was left out: 2 lines, first in line 1`,
		`the field "Kinds" is not known and was left out: 1 line, first in line 3; did you mean "kind"?`,
		`the field "unknown" is not known and was left out: 1 line, first in line 4`,
	}, h.Warnings)
	require.False(t, h.Sealed)
	require.Empty(t, h.Lost)
	require.Equal(t, Header{Format: FormatVersion}, h.Header)

	again := read(t, jsonl(t, h))
	requireSame(t, h, again)
}

func TestForeignUnitsKeepTheirNamesEvenWhereTheyLookIssued(t *testing.T) {
	h := read(t, `{"kind":"ok","unit":"17"}`, `{"kind":"ok","unit":"3"}`)
	require.Equal(t, []string{"17", "3"}, h.UnitNames)
	requireSame(t, h, read(t, jsonl(t, h)))

	header := `{"wreckon_history":1,"claims":{"prefix":"o-","states":{}}}`
	mixed := read(t, header, `{"kind":"ok","unit":"o-5"}`, `{"kind":"ok","unit":"x"}`)
	require.Equal(t, []Unit{0, 1}, mixed.Unit)
	require.Equal(t, "o-5", mixed.UnitName(0))
	requireSame(t, mixed, read(t, jsonl(t, mixed)))

	far := read(t, header, `{"kind":"ok","unit":"o-4294967295"}`)
	require.Equal(t, []Unit{0}, far.Unit, "one unit does not make a table of four thousand million")
	require.Equal(t, "o-4294967295", far.UnitName(0))

	issued := read(t, header, `{"kind":"ok","unit":"o-5"}`)
	require.Equal(t, []Unit{4}, issued.Unit)
	require.Nil(t, issued.UnitNames)
	require.Equal(t, "o-5", issued.UnitName(4))
}

func TestBadLines(t *testing.T) {
	for name, c := range map[string]struct {
		lines string
		want  LineError // Excerpt is a part of it
	}{
		"not an object":        {`"hello"`, LineError{1, 1, "want a JSON object that begins with {", `"hello"`}},
		"no kind":              {`{"unit":"a"}`, LineError{1, 0, "there is no kind: want one of invoke, ok,", `"unit"`}},
		"kind is null":         {`{"kind":null}`, LineError{1, 0, "there is no kind", "null"}},
		"a kind misspelt":      {`{"kind":"invok"}`, LineError{1, 9, `kind "invok" does not exist; did you mean "invoke"?`, "invok"}},
		"a kind far off":       {`{"kind":"teleport"}`, LineError{1, 9, `want one of invoke, ok, fail`, "teleport"}},
		"a kind that is none":  {`{"kind":"none"}`, LineError{1, 9, `kind "none" does not exist`, "none"}},
		"a kind, no string":    {`{"kind":1}`, LineError{1, 9, "kind: want a string", ""}},
		"an outcome":           {`{"kind":"ok","outcome":"aplied"}`, LineError{1, 24, `did you mean "applied"?`, ""}},
		"an outcome, a number": {`{"kind":"ok","outcome":1}`, LineError{1, 24, `outcome: want a string`, ""}},
		"a unit":               {`{"kind":"ok","unit":[1]}`, LineError{1, 21, "unit: want a string or a number", ""}},
		"an empty unit":        {`{"kind":"ok","unit":""}`, LineError{1, 21, "unit: it is empty", ""}},
		"seq":                  {`{"kind":"ok","seq":-1}`, LineError{1, 20, "seq: want a whole number from 0 to 18446744073709551615", ""}},
		"t in seconds":         {`{"kind":"ok","t":1.5}`, LineError{1, 18, "t: want nanoseconds as a whole number", ""}},
		"at as text":           {`{"kind":"ok","at":"1s"}`, LineError{1, 19, "at: want nanoseconds as a whole number", ""}},
		"actor too large":      {`{"kind":"ok","actor":4294967296}`, LineError{1, 22, "actor: want a whole number from 0 to 4294967295", ""}},
		"op":                   {`{"kind":"ok","op":{}}`, LineError{1, 19, "op: want a string", ""}},
		"the same field twice": {`{"kind":"ok","kind":"ok"}`, LineError{1, 14, `the field "kind" is there twice`, ""}},
		"cut off":              {"{\"kind\":\"ok\"}\n{\"kind\":\"o", LineError{2, 9, "the string that begins here has no end", ""}},
		"cut off at a colon":   {`{"kind"`, LineError{1, 8, "the line ends too early: want a colon", ""}},
		"no colon":             {`{"kind","ok"}`, LineError{1, 8, "want a colon after the field's name", ""}},
		"no comma":             {`{"kind":"ok" "unit":1}`, LineError{1, 14, "want a comma, or } at the end", ""}},
		"a comma too many":     {`{"kind":"ok",}`, LineError{1, 14, "want a field name in double quotes", ""}},
		"two objects":          {`{"kind":"ok"}{"kind":"ok"}`, LineError{1, 14, "want one object on a line", ""}},
		"single quotes":        {`{'kind':'ok'}`, LineError{1, 2, "want a field name in double quotes", ""}},
		"no value":             {`{"kind":}`, LineError{1, 9, "want a JSON value", ""}},
		"a bad literal":        {`{"kind":"ok","x":nul}`, LineError{1, 18, "want a JSON value", ""}},
		"a bad number":         {`{"kind":"ok","x":01}`, LineError{1, 18, "want a JSON value", ""}},
		"a bad escape":         {`{"kind":"ok","x":"\q"}`, LineError{1, 18, "a backslash that escapes nothing", ""}},
		"a bad name":           {`{"\q":1,"kind":"ok"}`, LineError{1, 2, "a backslash that escapes nothing", ""}},
		"a control character":  {"{\"kind\":\"o\x01k\"}", LineError{1, 11, "a control character in a string must be escaped", "o·k"}},
		"an open bracket":      {`{"kind":"ok","x":[1`, LineError{1, 18, "the bracket that opens here is not closed", ""}},
		"bad inside":           {`{"kind":"ok","x":[1 2]}`, LineError{1, 18, "want a JSON value", ""}},
		"seq twice": {"{\"seq\":1,\"kind\":\"ok\"}\n\n{\"kind\":\"ok\",\"seq\":1}",
			LineError{3, 20, "seq 1 is the same as in line 1", ""}},
		"seq descending": {"{\"seq\":7,\"kind\":\"ok\"}\n{\"seq\":8,\"kind\":\"ok\"}\n{\"seq\":3,\"kind\":\"ok\"}",
			LineError{3, 8, "seq 3 comes after seq 8 of line 2: want the lines in the order of seq", ""}},
		"a header later": {"{\"kind\":\"ok\"}\n{\"wreckon_history\":1}", LineError{2, 0, "there is no kind", ""}},
		"a header's version": {`{"wreckon_history":"one"}`,
			LineError{1, 0, `the header cannot be read: there is no version "one"`, ""}},
		"a header's claims": {`{"wreckon_history":1,"claims":[]}`, LineError{1, 0, "the header cannot be read", "claims"}},
	} {
		t.Run(name, func(t *testing.T) {
			h, err := ReadJSONL(strings.NewReader(c.lines))
			require.Nil(t, h)
			var bad *TextError
			require.ErrorAs(t, err, &bad)
			require.Len(t, bad.Lines, 1)
			got := bad.Lines[0]
			require.Equal(t, c.want.Line, got.Line)
			require.Equal(t, c.want.Column, got.Column, got.Reason)
			require.Contains(t, got.Reason, c.want.Reason)
			require.Contains(t, got.Excerpt, c.want.Excerpt)
			require.False(t, bad.More)
		})
	}
}

func TestAllBadLinesAtOnceUpToABound(t *testing.T) {
	_, err := ReadJSONL(strings.NewReader(`{"kind":"ok"}` + "\n" + `{"kind":"okk"}` + "\n" + `{"kind":"ok"}` + "\n" + `{"t":1}`))
	require.EqualError(t, err, `line 2, column 9: kind "okk" does not exist; did you mean "ok"?
    {"kind":"okk"}
line 4: there is no kind: want one of invoke, ok, fail, info, effect, start, finish, audit, exchange, fault, process, phase, observe, note
    {"t":1}`)

	_, err = ReadJSONL(strings.NewReader(strings.Repeat("nonsense\n", 1000)))
	var bad *TextError
	require.ErrorAs(t, err, &bad)
	require.Len(t, bad.Lines, maxBadLines)
	require.True(t, bad.More)
	require.ErrorContains(t, err, "stopped reading after 20 bad lines")
}

func TestTheExcerptIsShortAndShowsThePlace(t *testing.T) {
	line := `{"kind":"ok","value":"` + strings.Repeat("é", 10_000) + `","outcome":"nope","trace":"` + strings.Repeat("x", 10_000) + `"}`
	_, err := ReadJSONL(strings.NewReader(line))
	var bad *TextError
	require.ErrorAs(t, err, &bad)
	require.Contains(t, bad.Lines[0].Excerpt, `"outcome":"nope"`)
	require.Less(t, len(bad.Lines[0].Excerpt), 120)
	require.True(t, strings.HasPrefix(bad.Lines[0].Excerpt, "…"))
	require.True(t, strings.HasSuffix(bad.Lines[0].Excerpt, "…"))
}

func TestLongLines(t *testing.T) {
	value := strings.Repeat("x", 10_000_000)
	h := read(t, `{"kind":"info","value":"`+value+`"}`)
	require.Equal(t, value, h.Event(0).Value)
	requireSame(t, h, read(t, jsonl(t, h)))

	_, err := ReadJSONL(strings.NewReader(`{"kind":"ok"}` + "\n\n" + `{"kind":"info","value":"` + strings.Repeat("x", maxLine) + `"}`))
	require.EqualError(t, err, "line 3: it is longer than 16777216 bytes")
}

func TestTheLongestRecordedValueFitsOnALine(t *testing.T) {
	r, path := create(t, Header{})
	r.Record(Event{Kind: KindInfo, Value: strings.Repeat("\x00", maxValue+1)}) // six bytes for each as JSON
	require.NoError(t, r.Seal())
	h, err := Open(path)
	require.NoError(t, err)
	requireSame(t, h, read(t, jsonl(t, h)))
}

func TestSeqThatLeavesNumbersOut(t *testing.T) {
	h := read(t, `{"seq":1,"kind":"ok"}`, `{"kind":"ok"}`, `{"seq":2,"kind":"ok"}`)
	require.Empty(t, h.Warnings, "counting may begin at 1")

	h = read(t, `{"seq":5,"kind":"ok"}`, `{"seq":6,"kind":"ok"}`, `{"seq":9,"kind":"fail"}`)
	require.Equal(t, 3, h.Len())
	require.Equal(t, KindFail, h.Kind[2])
	require.Len(t, h.Warnings, 1)
	require.Contains(t, h.Warnings[0], "seq leaves numbers out 2 times, first at line 1")
}

func TestAHeaderThatCountsMoreEventsThanThereAre(t *testing.T) {
	h := New(Header{})
	h.Sealed = true
	h.Append(Event{Kind: KindOK})
	h.Append(Event{Kind: KindOK})
	lines := strings.SplitAfter(jsonl(t, h), "\n")
	got := read(t, lines[0]+lines[1])
	require.False(t, got.Sealed)
	require.Equal(t, "the header counts 2 events, 1 came with it", got.Lost)
}

func TestNothingIsNotAHistory(t *testing.T) {
	for _, text := range []string{"", "\n\n \n"} {
		_, err := ReadJSONL(strings.NewReader(text))
		require.ErrorIs(t, err, ErrNotHistory)
	}
	h := read(t, jsonl(t, New(Header{Run: "died at once"})))
	require.Zero(t, h.Len(), "a header without events is one")
	require.Equal(t, "died at once", h.Header.Run)
}

func TestAnEventMayTalkAboutHeaders(t *testing.T) {
	h := read(t, `{"kind":"note","value":{"wreckon_history":1}}`)
	require.Equal(t, `{"wreckon_history":1}`, h.Event(0).Value)
}

func TestANewerTextForm(t *testing.T) {
	_, err := ReadJSONL(strings.NewReader(`{"wreckon_history":2,"claims":"something new"}`))
	var version *VersionError
	require.ErrorAs(t, err, &version)
	require.Equal(t, 2, version.Found)
	require.ErrorContains(t, err, "use the program that recorded it, or a newer one")
}

func TestErrorsOfTheStreamAreKept(t *testing.T) {
	broken := errors.New("broken pipe")
	_, err := ReadJSONL(io.MultiReader(strings.NewReader(`{"kind":"ok"}`+"\n"), iotest.ErrReader(broken)))
	require.ErrorIs(t, err, broken)
	h := New(Header{})
	for range 2 * batchRows {
		h.Append(Event{Kind: KindOK, Unit: NoUnit})
	}
	require.ErrorIs(t, h.WriteJSONL(failingWriter{broken}), broken)
}

type failingWriter struct{ err error }

func (w failingWriter) Write([]byte) (int, error) { return 0, w.err }

func TestWarningsAreBounded(t *testing.T) {
	var b strings.Builder
	for i := range 1000 {
		fmt.Fprintf(&b, `{"kind":"ok","extra%d":1}`+"\n", i)
	}
	h, err := ReadJSONL(strings.NewReader(b.String()))
	require.NoError(t, err)
	require.Len(t, h.Warnings, maxUnknown+1)
	require.Contains(t, h.Warnings[maxUnknown], "left out 980 times")
}

func TestWords(t *testing.T) {
	for k := KindInvoke; int(k) < numKinds; k++ {
		got, err := ParseKind(k.String())
		require.NoError(t, err)
		require.Equal(t, k, got)
	}
	for o := range Outcome(numOutcomes) {
		got, err := ParseOutcome(o.String())
		require.NoError(t, err)
		require.Equal(t, o, got)
	}
	require.Equal(t, "none", KindNone.String())
	require.Equal(t, "kind(200)", Kind(200).String())
	require.Equal(t, "outcome(200)", Outcome(200).String())
	_, err := ParseKind("Efect")
	require.EqualError(t, err, `kind "Efect" does not exist; did you mean "effect"?`)
	_, err = ParseKind("")
	require.ErrorContains(t, err, "want one of invoke")
	_, err = ParseOutcome(strings.Repeat("x", 1000))
	require.ErrorContains(t, err, "want one of applied")
	require.Less(t, len(err.Error()), 400)
}

func TestUnitIDs(t *testing.T) {
	for _, u := range []Unit{0, 16, NoUnit - 1} {
		got, err := ParseUnit("o-", UnitID("o-", u))
		require.NoError(t, err)
		require.Equal(t, u, got)
	}
	for _, id := range []string{"", "o-", "o-0", "o-01", "o-+1", "o--1", "o-1x", "p-1", "o-4294967296"} {
		u, err := ParseUnit("o-", id)
		require.Error(t, err, id)
		require.Equal(t, NoUnit, u)
	}
}

func TestAppendTakesAnyBytes(t *testing.T) {
	h := New(Header{})
	h.Append(Event{Kind: KindNote, Unit: NoUnit, Value: "\xff", T: time.Second})
	require.Equal(t, "\uFFFD", h.Event(0).Value)
	requireSame(t, h, func() *History { g := read(t, jsonl(t, h)); g.Header.Format = 0; return g }())
}

func FuzzReadJSONL(f *testing.F) {
	h := New(full())
	for _, e := range sample(20) {
		h.Append(e)
	}
	f.Add([]byte(jsonl(f, h)))
	f.Add([]byte(`{"kind":"ok","unit":7,"value":{"a":[1,"\ud800"]},"extra":null}` + "\n" + `{"seq":9,"kind":"info","t":-1}`))
	f.Add([]byte(`{"wreckon_history":1,"claims":{"prefix":"","states":{}},"foreign_units":true,"events":1}` + "\n" + `{"kind":"ok","unit":"a\\\"b"}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		h, err := ReadJSONL(bytes.NewReader(b))
		if err != nil {
			return
		}
		for line := range bytes.Lines(b) { // what was taken is JSON to everyone else, too
			line = bytes.TrimSpace(bytes.TrimPrefix(line, []byte(byteOrderMark)))
			if len(line) > 0 && !json.Valid(line) {
				t.Fatalf("not JSON: %q", line)
			}
		}
		again, err := ReadJSONL(strings.NewReader(jsonl(t, h)))
		if err != nil {
			t.Fatalf("what was written cannot be read: %v", err)
		}
		if first, second := jsonl(t, h), jsonl(t, again); first != second {
			t.Fatalf("not the same the second time:\n%s\n%s", first, second)
		}
	})
}

// FuzzString compares our reading of a string with the library's: which ones are valid, and what they say.
func FuzzString(f *testing.F) {
	for _, s := range []string{`"a"`, `"12345678"`, `"1234567\n"`, `"\"\\\/\b\f\n\r\t"`, `"é\u00e9\ud83d\ude00"`, `"\ud83d"`, "\"\xff\"", `"\x"`, `"a\`, "\"\t\"", `"`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) == 0 || b[0] != '"' {
			return
		}
		var got token
		s := lineScanner{b: b}
		if bad := s.string(&got); bad != nil {
			require.False(t, json.Valid(b), "refused: %s", bad.reason)
			return
		}
		var want string
		require.NoError(t, json.Unmarshal(got.raw, &want))
		require.Equal(t, want, string(got.text()))
		require.Equal(t, len(got.raw), s.i)
	})
}

package history

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// maxRules bounds a mapping: a person wrote it.
const maxRules = 1000

// Add reads rules, one on each line. An empty line says nothing, nor does what follows a # outside of quotes. The error, a *TextError,
// holds every line that is wrong, with its column and what would be right; rules that are right are added all the same.
func (m *Mapping) Add(text string) error {
	var bad []LineError
	n := 0
	for line := range strings.Lines(text) {
		n++
		line = strings.TrimRight(line, "\r\n")
		p := ruleParser{m: m, text: line}
		if err := p.rule(); err != nil {
			bad = append(bad, LineError{Line: n, Column: err.at + 1, Reason: err.reason, Excerpt: excerpt(line, err.at)})
		}
		if len(bad) == maxBadLines {
			return &TextError{Lines: bad, More: true}
		}
	}
	if len(bad) > 0 {
		return &TextError{Lines: bad}
	}
	return nil
}

// ruleParser reads one rule.
type ruleParser struct {
	m    *Mapping
	text string
	at   int
}

func (p *ruleParser) fail(at int, format string, args ...any) *problem {
	return &problem{at, fmt.Sprintf(format, args...)}
}

func (p *ruleParser) space() {
	for p.at < len(p.text) && (p.text[p.at] == ' ' || p.text[p.at] == '\t') {
		p.at++
	}
	if p.at < len(p.text) && p.text[p.at] == '#' {
		p.at = len(p.text)
	}
}

func (p *ruleParser) done() bool {
	p.space()
	return p.at == len(p.text)
}

// word takes a keyword if it stands here.
func (p *ruleParser) word(w string) bool {
	p.space()
	rest := p.text[p.at:]
	if !strings.HasPrefix(rest, w) || len(rest) > len(w) && isPathByte(rest[len(w)]) {
		return false
	}
	after := strings.TrimLeft(rest[len(w):], " \t")
	if strings.HasPrefix(after, "=") || strings.HasPrefix(after, "!=") { // a field that is called like a keyword
		return false
	}
	p.at += len(w)
	return true
}

func (p *ruleParser) sign(s string) bool {
	p.space()
	if !strings.HasPrefix(p.text[p.at:], s) {
		return false
	}
	p.at += len(s)
	return true
}

func (p *ruleParser) rule() *problem {
	if p.done() {
		return nil
	}
	if len(p.m.rules) == maxRules {
		return p.fail(p.at, "there are more than %d rules", maxRules)
	}
	r := rule{text: strings.TrimSpace(p.text)}
	begin := p.at
	var bad *problem
	switch {
	case p.word("skip"):
		return p.skip(r)
	case p.word("order"):
		if !p.word("by") || !p.word("t") || !p.done() {
			return p.fail(begin, "want: order by t")
		}
		p.m.byTime = true
		return nil
	case p.word("first"):
		r.what = ruleFirst
	}
	if r.sets, bad = p.assignments(); bad != nil {
		return bad
	}
	if r.where, bad = p.condition(); bad != nil {
		return bad
	}
	if r.what == ruleFirst && !slices.ContainsFunc(r.sets, func(a assignment) bool { return a.field == fieldKind }) {
		return p.fail(begin, `one more event needs a kind of its own, as in: first kind="invoke" where event="order.accepted"`)
	}
	if bad := p.reachable(r, begin); bad != nil {
		return bad
	}
	for _, a := range r.sets {
		p.m.assigned[a.field] = true
	}
	p.m.rules = append(p.m.rules, r)
	return nil
}

// reachable refuses a rule that comes behind a constant for the same field on every line: it would never count.
func (p *ruleParser) reachable(r rule, at int) *problem {
	if r.what != ruleSet {
		return nil
	}
	for _, before := range p.m.rules {
		if before.what != ruleSet || len(before.where) > 0 {
			continue
		}
		for _, b := range before.sets {
			if b.slot < 0 && slices.ContainsFunc(r.sets, func(a assignment) bool { return a.field == b.field }) {
				return p.fail(at, "this gives %s, which the rule %s gives to every line: put that one last, or give it a condition", fieldNames[b.field], before.text)
			}
		}
	}
	return nil
}

func (p *ruleParser) skip(r rule) *problem {
	at := p.at
	r.what = ruleSkip
	switch {
	case p.word("text"):
		p.m.text = len(p.m.rules) + 1
	case p.word("otherwise"):
		p.m.rest = len(p.m.rules) + 1
	default:
		var bad *problem
		if r.where, bad = p.condition(); bad != nil {
			return bad
		}
		if len(r.where) == 0 {
			return p.fail(at, `which lines? Want: skip where level="debug", skip otherwise, or skip text`)
		}
	}
	if !p.done() {
		return p.fail(p.at, "nothing may follow here")
	}
	p.m.rules = append(p.m.rules, r)
	return nil
}

func (p *ruleParser) assignments() (sets []assignment, bad *problem) {
	for {
		a, bad := p.assignment()
		if bad != nil {
			return nil, bad
		}
		if slices.ContainsFunc(sets, func(b assignment) bool { return b.field == a.field }) {
			return nil, p.fail(p.at, "%s is given twice in one rule", fieldNames[a.field])
		}
		sets = append(sets, a)
		if !p.sign(",") {
			return sets, nil
		}
	}
}

func (p *ruleParser) assignment() (a assignment, bad *problem) {
	p.space()
	at := p.at
	name, bad := p.path()
	if bad != nil {
		return a, p.fail(at, "want a field of an event, as in unit=order.id: one of %s", strings.Join(fieldNames[:], ", "))
	}
	if a.field = fieldNumber([]byte(name)); a.field < 0 {
		hint := "; want one of " + strings.Join(fieldNames[:], ", ")
		if near := nearest(name, fieldNames[:]); near != "" {
			hint = fmt.Sprintf("; did you mean %q?", near)
		}
		return a, p.fail(at, "an event has no field %q%s", excerpt(name, 0), hint)
	}
	if !p.sign("=") {
		return a, p.fail(p.at, "want = and where %s comes from: %s=order.id, or a constant in double quotes", name, name)
	}
	p.space()
	at = p.at
	a.slot = -1
	constant, is, bad := p.constant()
	switch {
	case bad != nil:
		return a, bad
	case is:
		a.constant = constant
		return a, p.fits(a, at)
	}
	source, bad := p.path()
	if bad != nil {
		return a, bad
	}
	a.slot = p.m.slot(source)
	return a, p.unit(&a)
}

// fits refuses a constant that the field can never take.
func (p *ruleParser) fits(a assignment, at int) *problem {
	if a.constant.raw == nil {
		return nil
	}
	if a.field == fieldActor {
		return nil // numbered by what it is called
	}
	probe := lineEvent{reader: &textReader{h: New(Header{}), units: newUnits()}}
	if bad := probe.field([]byte(fieldNames[a.field]), 0, &a.constant); bad != nil {
		return p.fail(at, "%s", bad.reason)
	}
	return nil
}

var instantUnits = map[string]time.Duration{"ns": time.Nanosecond, "us": time.Microsecond, "ms": time.Millisecond, "s": time.Second}

func (p *ruleParser) unit(a *assignment) *problem {
	p.space()
	at := p.at
	if !p.word("in") {
		return nil
	}
	for name, unit := range instantUnits {
		if p.word(name) {
			if a.field != fieldT && a.field != fieldAt {
				return p.fail(at, "only t and at are instants, and have a unit")
			}
			a.unit = unit
			return nil
		}
	}
	return p.fail(p.at, "want the unit of the number: ns, us, ms or s")
}

// condition reads what follows where, or nothing.
func (p *ruleParser) condition() (where []test, bad *problem) {
	if p.done() {
		return nil, nil
	}
	if !p.word("where") {
		return nil, p.fail(p.at, "want a comma and another field, or where and a condition")
	}
	for {
		t, bad := p.test()
		if bad != nil {
			return nil, bad
		}
		where = append(where, t)
		if p.done() {
			return where, nil
		}
		if !p.word("and") {
			return nil, p.fail(p.at, "want and, or the end of the rule")
		}
	}
}

func (p *ruleParser) test() (t test, bad *problem) {
	t.not = p.word("not")
	source, bad := p.path()
	if bad != nil {
		return t, bad
	}
	t.slot = p.m.slot(source)
	switch {
	case p.sign("!="):
		t.compare, t.not = true, !t.not
	case p.sign("="):
		t.compare = true
	default:
		return t, nil
	}
	p.space()
	at := p.at
	constant, is, bad := p.constant()
	if bad != nil {
		return t, bad
	}
	if !is {
		return t, p.fail(at, `want a value to compare with: a text in double quotes, a number, true or false`)
	}
	t.want = constant.text()
	return t, nil
}

// constant reads a text in double quotes, a number, true or false. The empty text is no value at all.
func (p *ruleParser) constant() (v token, is bool, bad *problem) {
	p.space()
	if p.at == len(p.text) {
		return v, false, nil
	}
	switch c := p.text[p.at]; {
	case c == '"':
		s := lineScanner{b: []byte(p.text), i: p.at}
		if bad := s.string(&v); bad != nil {
			return v, true, bad
		}
		p.at = s.i
		if len(v.raw) == 2 {
			return token{}, true, nil
		}
		v.at = -1
		return v, true, nil
	case c == '-' || c >= '0' && c <= '9':
		from := p.at
		for p.at < len(p.text) && isPathByte(p.text[p.at]) {
			p.at++
		}
		raw := []byte(p.text[from:p.at])
		if !json.Valid(raw) {
			p.at = from
			return v, true, p.fail(from, "want a number; a field's name that begins with a digit stands between backticks, a text in double quotes")
		}
		return token{kind: 'n', raw: raw, at: -1}, true, nil
	}
	for _, word := range []string{"true", "false"} {
		if p.word(word) {
			return token{kind: 'b', raw: []byte(word), at: -1}, true, nil
		}
	}
	return v, false, nil
}

// path reads the name of a field of the line, nested ones by dots; between backticks it may hold anything.
func (p *ruleParser) path() (string, *problem) {
	p.space()
	from := p.at
	if from < len(p.text) && p.text[from] == '`' {
		end := strings.IndexByte(p.text[from+1:], '`')
		if end < 1 {
			return "", p.fail(from, "the name that begins here has no end: want another backtick")
		}
		p.at = from + end + 2
		return p.text[from+1 : from+1+end], nil
	}
	for p.at < len(p.text) && isPathByte(p.text[p.at]) {
		p.at++
	}
	name := p.text[from:p.at]
	switch {
	case name == "":
		return "", p.fail(from, "want the name of a field, as in order.id")
	case strings.HasPrefix(name, ".") || strings.HasSuffix(name, ".") || strings.Contains(name, ".."):
		return "", p.fail(from, "a dot stands between two names: order.id")
	}
	return name, nil
}

func isPathByte(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_' || c == '-' || c == '.' || c == '@' || c == '$' ||
		c == '/' || c == ':' || c >= utf8.RuneSelf
}

// slot gives the place of what a rule reads, and notes the objects on the way to it.
func (m *Mapping) slot(path string) int {
	if m.paths == nil {
		m.paths, m.parents = map[string]int{}, map[string]bool{}
	}
	n, known := m.paths[path]
	if !known {
		n = len(m.paths)
		m.paths[path] = n
		for i, c := range path {
			if c == '.' {
				m.parents[path[:i]] = true
			}
		}
	}
	return n
}

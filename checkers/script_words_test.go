package checkers

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/wreckon/wreckon/history"
)

// words are the words of a line: plain ones in order, flags, and name=value ones.
type words struct {
	rest []string
	opt  map[string]string
}

// options are the names of name=value words.
var options = []string{"key", "try", "at", "step", "n", "body", "hash", "asked", "delivered", "answered", "returned", "deliveries", "fault",
	"t", "by", "op", "trace", "actor", "amount", "root", "entries"}

func newWords(l string) *words {
	w := &words{opt: map[string]string{}}
	for l = strings.TrimSpace(l); l != ""; l = strings.TrimSpace(l) {
		var word string
		if q, err := strconv.QuotedPrefix(l); err == nil {
			word, _ = strconv.Unquote(q)
			w.rest, l = append(w.rest, word), l[len(q):]
			continue
		}
		if l[0] == '{' {
			d := json.NewDecoder(strings.NewReader(l))
			var object json.RawMessage
			if err := d.Decode(&object); err != nil {
				panic(err)
			}
			w.rest, l = append(w.rest, string(object)), l[d.InputOffset():]
			continue
		}
		word, l, _ = strings.Cut(l, " ")
		if name, value, ok := strings.Cut(word, "="); ok && slices.Contains(options, name) {
			w.opt[name] = value
			continue
		}
		w.rest = append(w.rest, word)
	}
	return w
}

// next takes the next plain word; "" where there is none.
func (w *words) next() string {
	if len(w.rest) == 0 {
		return ""
	}
	word := w.rest[0]
	w.rest = w.rest[1:]
	return word
}

func (w *words) flag(name string) bool {
	k := slices.Index(w.rest, name)
	if k >= 0 {
		w.rest = slices.Delete(w.rest, k, k+1)
	}
	return k >= 0
}

// version takes the word that is one: v12.
func (w *words) version() uint64 {
	for k, word := range w.rest {
		if n, err := strconv.ParseUint(strings.TrimPrefix(word, "v"), 10, 64); err == nil && word[0] == 'v' {
			w.rest = slices.Delete(w.rest, k, k+1)
			return n
		}
	}
	return 0
}

// attempt is which try it is; the first, where the line does not say.
func (w *words) attempt() uint32 {
	if n, err := strconv.ParseUint(w.opt["try"], 10, 32); err == nil {
		return uint32(n)
	}
	return 1
}

// record is what a line adds to the record of an audit event.
func (w *words) record() (more string) {
	if actor, ok := w.opt["actor"]; ok {
		more += fmt.Sprintf(`,"actor":%q`, actor)
	}
	if amount, ok := w.opt["amount"]; ok {
		more += `,"amount":` + amount
	}
	return more
}

func (w *words) unit() history.Unit {
	u, err := history.ParseUnit("o-", w.next())
	if err != nil {
		panic(err)
	}
	return u
}

func (w *words) actor() int {
	n, err := strconv.Atoi(strings.TrimPrefix(w.next(), "c"))
	if err != nil {
		panic(err)
	}
	return n
}

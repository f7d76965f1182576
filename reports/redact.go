package reports

import (
	"encoding/json"
	"sort"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/wreckon/wreckon/checkers"
	"github.com/wreckon/wreckon/history"
)

// redacted stands where a payload stood.
const redacted = "[redacted]"

// redact gives a copy of a run whose texts no longer quote payloads. What an event's Value holds, as a whole or as a leaf of its
// JSON, is replaced wherever a story or a sentence of the same finding quotes it as a word of its own. Ids, keys, components,
// times, counts and the names that the target's claims declare stay: without them a finding could not be followed.
func redact(r Run) Run {
	r.Spans = nil      // what they are named and say of themselves is up to the target
	var pairs []string // old and new sentences, for the reasons that repeat them
	js := append([]checkers.Judgement(nil), r.Result.Guarantees...)
	for i := range js {
		fs := append([]checkers.Finding(nil), js[i].Findings...)
		for k, f := range fs {
			fs[k] = redactFinding(r, f)
			if f.Sentence != "" {
				pairs = append(pairs, f.Sentence, fs[k].Sentence)
			}
		}
		js[i].Findings = fs
	}
	again := strings.NewReplacer(pairs...)
	for i := range js {
		js[i].Reason = again.Replace(js[i].Reason)
	}
	r.Result.Guarantees = js
	r.Result.Reasons = append([]string(nil), r.Result.Reasons...)
	for i, reason := range r.Result.Reasons {
		r.Result.Reasons[i] = again.Replace(reason)
	}
	return r
}

func redactFinding(r Run, f checkers.Finding) checkers.Finding {
	words := payloads(r, f)
	f.Sentence = replaceWords(f.Sentence, words)
	f.Twin = replaceWords(f.Twin, words)
	f.Story = redactStory(f.Story, words)
	f.TwinStory = redactStory(f.TwinStory, words)
	f.Order = append([]checkers.Ordered(nil), f.Order...)
	for i := range f.Order {
		f.Order[i].Says = replaceWords(f.Order[i].Says, words)
	}
	return f
}

func redactStory(lines []checkers.StoryLine, words []string) []checkers.StoryLine {
	out := append([]checkers.StoryLine(nil), lines...)
	for i := range out {
		out[i].Text = replaceWords(out[i].Text, words)
		out[i].Note = replaceWords(out[i].Note, words)
	}
	return out
}

// payloads lists the values that the events of a finding carry, longest first, so that a whole payload goes before its parts.
func payloads(r Run, f checkers.Finding) []string {
	h := r.History
	if h == nil {
		return nil
	}
	set := map[string]bool{}
	add := func(seq uint64) {
		if seq < uint64(h.Len()) && h.Kind[seq] != history.KindExchange { // an exchange holds instants and counts, nobody's payload
			leaves(h.Strings[h.Value[seq]], set)
		}
	}
	for _, seq := range f.Events {
		add(seq)
	}
	for _, l := range f.Story {
		add(l.Seq)
	}
	for _, l := range f.TwinStory {
		add(l.Seq)
	}
	for _, name := range vocabulary(h.Header.Claims) {
		delete(set, name)
	}
	words := make([]string, 0, len(set))
	for w := range set {
		words = append(words, w)
	}
	sort.Slice(words, func(i, k int) bool {
		return len(words[i]) > len(words[k]) || len(words[i]) == len(words[k]) && words[i] < words[k]
	})
	return words
}

// vocabulary is what a target calls its states and steps: words of its description, not of anybody's payload.
func vocabulary(c history.Claims) []string {
	names := append([]string{c.States.Completed, c.States.Compensated, c.States.Quarantined, c.States.Expired}, c.States.Open...)
	for name, next := range c.States.Next {
		names = append(append(names, name), next...)
	}
	for _, s := range c.Steps {
		names = append(names, s.Name, s.Does, s.Undoes)
	}
	return names
}

func leaves(value string, into map[string]bool) {
	if value == "" {
		return
	}
	into[value] = true
	d := json.NewDecoder(strings.NewReader(value))
	d.UseNumber()
	var v any
	if d.Decode(&v) == nil {
		leavesOf(v, into)
	}
}

func leavesOf(v any, into map[string]bool) {
	switch v := v.(type) {
	case string:
		if v != "" {
			into[v] = true
		}
	case json.Number:
		into[v.String()] = true
	case []any:
		for _, e := range v {
			leavesOf(e, into)
		}
	case map[string]any:
		for _, e := range v {
			leavesOf(e, into)
		}
	}
}

func replaceWords(s string, words []string) string {
	for _, w := range words {
		s = replaceWord(s, w)
	}
	return s
}

// replaceWord replaces w where it is not part of something longer, so that an amount of 4 does not eat "client 4x" or "f4".
func replaceWord(s, w string) string {
	var b strings.Builder
	for {
		i := strings.Index(s, w)
		if i < 0 {
			b.WriteString(s)
			return b.String()
		}
		before, _ := utf8.DecodeLastRuneInString(s[:i])
		if i == 0 {
			before, _ = utf8.DecodeLastRuneInString(b.String())
		}
		after := s[i+len(w):]
		b.WriteString(s[:i])
		if joins(before) || startsJoined(after) {
			b.WriteString(w)
		} else {
			b.WriteString(redacted)
		}
		s = after
	}
}

func joins(c rune) bool {
	return c != utf8.RuneError && (unicode.IsLetter(c) || unicode.IsDigit(c) || strings.ContainsRune("_-/.", c))
}

// startsJoined tells whether a text goes on with the word before it; a full stop does only if something follows it.
func startsJoined(s string) bool {
	c, n := utf8.DecodeRuneInString(s)
	if c == '.' {
		c, _ = utf8.DecodeRuneInString(s[n:])
		return c != utf8.RuneError && (unicode.IsLetter(c) || unicode.IsDigit(c))
	}
	return joins(c)
}

package wire

import "strings"

// What is bounded in a signature of SQL.
const (
	sqlTokens = 1 << 12 // that are looked at in one statement
	sqlName   = 63      // bytes of a name: what PostgreSQL keeps of one
	maxText   = 240     // bytes of a signature
)

// sqlSignature is the verb and the main table of each statement of a query, joined by "; ". Repeats in a row count once, so that a
// batch of any size has one signature. It is for telling statements apart, by eye and by pattern, and is no parse: what it does not
// recognise it names by its first word.
func sqlSignature(query string) string {
	s := sqlScanner{text: query}
	var all signatures
	for {
		tokens, more := s.statement()
		if len(tokens) > 0 {
			all.add(sqlStatement(tokens))
		}
		if !more {
			break
		}
	}
	if len(all) == 0 {
		return "EMPTY"
	}
	return all.String()
}

// signatures are those of the statements of one exchange.
type signatures []string

func (s *signatures) add(one string) {
	if n := len(*s); n == 0 || (*s)[n-1] != one && n < 16 {
		*s = append(*s, one)
	}
}

func (s signatures) String() string { return clipped(strings.Join(s, "; ")) }

func clipped(s string) string {
	if len(s) > maxText {
		return s[:maxText]
	}
	return s
}

// sqlStatement names one statement.
func sqlStatement(tokens []sqlToken) string {
	p := sqlPhrase(tokens)
	if p[0].is("WITH") {
		p = p.from(p.find(0, "SELECT", "INSERT", "UPDATE", "DELETE", "MERGE", "VALUES"))
	}
	for len(p) > 1 && p[0].kind == '(' {
		p = p[1:]
	}
	if p[0].kind != sqlWord {
		return "SQL"
	}
	verb := strings.ToUpper(sqlNameOf(p[0]))
	switch verb {
	case "SELECT":
		return p.selected()
	case "INSERT", "MERGE":
		return sqlJoin(verb+" INTO", p.name(p.find(p[0].depth, "INTO")+1))
	case "DELETE":
		return sqlJoin("DELETE FROM", p.name(p.find(p[0].depth, "FROM")+1))
	case "UPDATE", "TRUNCATE", "LOCK", "SET", "CALL", "LISTEN", "UNLISTEN", "NOTIFY", "SHOW", "EXECUTE", "TABLE":
		return sqlJoin(verb, p.name(1))
	case "COPY":
		if p[1:].starts('(') {
			return "COPY TO"
		}
		if way := p.find(p[0].depth, "FROM", "TO"); way < len(p) {
			return sqlJoin(sqlJoin("COPY", p.name(1)), strings.ToUpper(p[way].text))
		}
	case "CREATE", "ALTER", "DROP":
		i := p.past(1)
		if i < len(p) && p[i].kind == sqlWord {
			return sqlJoin(sqlJoin(verb, strings.ToUpper(sqlNameOf(p[i]))), p.name(i+1))
		}
	case "COMMIT", "ROLLBACK":
		if second := p[1:]; second.is("PREPARED", "TO") {
			return verb + " " + strings.ToUpper(second[0].text)
		}
	case "PREPARE", "START":
		if p[1:].is("TRANSACTION") {
			return verb + " TRANSACTION"
		}
	}
	return verb
}

// sqlPhrase is what is left of a statement.
type sqlPhrase []sqlToken

func (p sqlPhrase) starts(kind byte) bool   { return len(p) > 0 && p[0].kind == kind }
func (p sqlPhrase) is(words ...string) bool { return len(p) > 0 && p[0].is(words...) }

// from gives what follows the i-th token, itself included; all if there is none.
func (p sqlPhrase) from(i int) sqlPhrase {
	if i >= len(p) {
		return p
	}
	return p[i:]
}

// find gives the place of the first of the keywords behind the first token, at a depth of parentheses; the length if there is none.
func (p sqlPhrase) find(depth int, keywords ...string) int {
	for i := 1; i < len(p); i++ {
		if p[i].depth == depth && p[i].is(keywords...) {
			return i
		}
	}
	return len(p)
}

// past gives the place of the first token that says what is meant.
func (p sqlPhrase) past(i int) int {
	for i < len(p) && p[i].is("ONLY", "TABLE", "OR", "REPLACE", "TEMP", "TEMPORARY", "UNLOGGED", "UNIQUE", "MATERIALIZED", "CONCURRENTLY", "IF", "NOT",
		"EXISTS", "LOCAL", "SESSION", "GLOBAL", "LATERAL") {
		if p[i].is("TABLE") && p[0].is("CREATE", "ALTER", "DROP") && i+1 < len(p) {
			return i
		}
		i++
	}
	return i
}

// name gives the name at a place, with its schema; empty if there is none.
func (p sqlPhrase) name(i int) string {
	i = p.past(i)
	if i >= len(p) || !p[i].named() {
		return ""
	}
	s := sqlNameOf(p[i])
	for ; i+2 < len(p) && p[i+1].kind == '.' && p[i+2].named(); i += 2 {
		s += "." + sqlNameOf(p[i+2])
	}
	return s
}

// selected names a SELECT: by its table, that of a subquery if that is what it reads from, or else by the function it calls.
func (p sqlPhrase) selected() string {
	from := p.find(p[0].depth, "FROM")
	for i := from; i < len(p); i++ {
		if p[i].is("FROM") {
			if table := p.name(i + 1); table != "" {
				return sqlJoin("SELECT FROM", table) + p.locking(from)
			}
		}
	}
	for i := 1; i+1 < len(p); i++ {
		if p[i].kind == sqlWord && p[i+1].kind == '(' {
			return "SELECT " + sqlNameOf(p[i]) + "()"
		}
	}
	return "SELECT"
}

// locking tells a SELECT that claims rows from one that reads them.
func (p sqlPhrase) locking(i int) string {
	for ; i+1 < len(p); i++ {
		if p[i].depth != p[0].depth || !p[i].is("FOR") {
			continue
		}
		switch {
		case p[i+1].is("UPDATE", "NO"):
			return " FOR UPDATE"
		case p[i+1].is("SHARE", "KEY"):
			return " FOR SHARE"
		}
	}
	return ""
}

func sqlJoin(a, b string) string {
	if b == "" {
		return a
	}
	return a + " " + b
}

// sqlNameOf is how a signature writes a name: as PostgreSQL folds it, bounded, in one line, and with a star for a date or a number in it.
func sqlNameOf(t sqlToken) string {
	s := t.text[:min(len(t.text), sqlName)]
	if t.kind == sqlWord {
		s = strings.ToLower(s)
	}
	return starred(s, 4)
}

// starred puts a star for each run of at least so many digits, and a question mark for what would not print.
func starred(s string, digits int) string {
	b := make([]byte, 0, len(s))
	run := 0
	for i := range len(s) {
		c := s[i]
		if c < ' ' || c == 0x7f {
			c = '?'
		}
		b = append(b, c)
		if c < '0' || c > '9' {
			run = 0
			continue
		}
		if run++; run == digits {
			b = append(b[:len(b)-digits], '*')
		} else if run > digits {
			b = b[:len(b)-1]
		}
	}
	return string(b)
}

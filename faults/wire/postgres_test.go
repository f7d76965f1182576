package wire

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// pgMessage is a message of a type with a body.
func pgMessage(kind byte, body string) string {
	return string(kind) + string(binary.BigEndian.AppendUint32(nil, uint32(len(body)+4))) + body
}

func pgStartup(code uint32, body string) []byte {
	b := binary.BigEndian.AppendUint32(nil, uint32(len(body)+8))
	return append(binary.BigEndian.AppendUint32(b, code), body...)
}

func pgQuery(sql string) string { return pgMessage('Q', sql+"\x00") }
func pgParse(id, sql string) string {
	return pgMessage('P', id+"\x00"+sql+"\x00\x00\x00")
}
func pgBind(id, value string) string {
	return pgMessage('B', "\x00"+id+"\x00\x00\x00\x00\x01"+string(binary.BigEndian.AppendUint32(nil, uint32(len(value))))+value+"\x00\x00")
}

var (
	pgExecute = pgMessage('E', "\x00\x00\x00\x00\x00")
	pgSync    = pgMessage('S', "")
	pgFlush   = pgMessage('H', "")
	pgReady   = pgMessage('Z', "I")
	pgError   = pgMessage('E', "SERROR\x00\x00")
	pgDone    = pgMessage('C', "DONE\x00")
	pgHello   = []fed{
		{Up, pgStartup(pgEncryptGSS, "")}, {Down, []byte("N")}, {Up, pgStartup(pgEncryptTLS, "")}, {Down, []byte("N")},
		{Up, pgStartup(pgVersion3, "user\x00me\x00\x00")}, {Down, []byte(pgMessage('R', "\x00\x00\x00\x05salt"))}, {Up, []byte(pgMessage('p', "secret\x00"))},
		{Down, []byte(pgMessage('R', "\x00\x00\x00\x00") + pgMessage('S', "a\x00b\x00") + pgReady)},
	}
)

func pgTalk(lines ...string) []fed {
	talk := append([]fed(nil), pgHello...)
	for _, l := range lines {
		way := Up
		if l[0] == '<' {
			way = Down
		}
		talk = append(talk, fed{way, []byte(l[1:])})
	}
	return talk
}

func TestPostgresExchanges(t *testing.T) {
	big := strings.Repeat("x", 2*whole)
	for _, c := range []struct {
		name     string
		talk     []fed
		up, down []string
	}{{
		"simple", pgTalk(">"+pgQuery("commit"), "<"+pgMessage('N', "x\x00")+pgDone+pgReady),
		[]string{`1 asks "COMMIT"`}, []string{"1 is answered"},
	}, {
		"pipelined", pgTalk(">"+pgQuery("begin")+pgQuery("commit"), "<"+pgDone+pgReady+pgError+pgReady),
		[]string{`1 asks "BEGIN"`, `2 asks "COMMIT"`}, []string{"1 is answered", "2 is refused", "2 is answered"},
	}, {
		"between exchanges", pgTalk("<"+pgMessage('A', "x"), ">"+pgQuery(""), "<"+pgMessage('I', "")+pgReady+pgMessage('A', "x"), ">"+pgMessage('X', "")),
		[]string{`1 asks "EMPTY"`}, []string{"1 is answered"},
	}, {
		"prepared", pgTalk(">"+pgParse("s1", "insert into t values ($1)")+pgMessage('D', "Ss1\x00")+pgSync, "<"+pgMessage('1', "")+pgMessage('t', "\x00\x00")+
			pgMessage('n', "")+pgReady, ">"+pgBind("s1", "v")+pgExecute+pgBind("s1", "w")+pgExecute+pgSync, "<"+pgMessage('2', "")+pgDone+pgMessage('2', "")+
			pgDone+pgReady, ">"+pgMessage('C', "Ss1\x00")+pgSync, "<"+pgMessage('3', "")+pgReady, ">"+pgBind("s1", "v")+pgExecute+pgSync, "<"+pgError+pgReady),
		[]string{`1 asks "PARSE INSERT INTO t"`, `2 asks "INSERT INTO t"`, `3 asks "CLOSE INSERT INTO t"`, `4 asks "EXECUTE"`},
		[]string{"1 is answered", "2 is answered", "3 is answered", "4 is refused", "4 is answered"},
	}, {
		"flushes", pgTalk(">"+pgParse("", "select 1 from a")+pgFlush+pgBind("", "")+pgExecute+pgFlush+pgSync,
			"<"+pgMessage('1', "")+pgMessage('2', "")+pgMessage('D', "\x00\x00")+pgDone+pgReady),
		[]string{`1 asks "PARSE SELECT FROM a"`, `2 asks "SELECT FROM a"`, `3 asks "SYNC"`}, []string{"1 is answered", "2 is answered", "3 is answered"},
	}, {
		"skipped after an error", pgTalk(">"+pgParse("", "select 1 from a")+pgFlush+pgBind("", "")+pgExecute+pgFlush+pgSync, "<"+pgError+pgReady),
		[]string{`1 asks "PARSE SELECT FROM a"`, `2 asks "SELECT FROM a"`, `3 asks "SYNC"`}, []string{"1 is refused", "1 is answered", "3 is answered, and [2]"},
	}, {
		"rows into a table", pgTalk(">"+pgQuery("copy t from stdin"), "<"+pgMessage('G', "\x00\x00\x00"), ">"+pgMessage('d', big)+pgMessage('d', "row")+
			pgMessage('c', ""), "<"+pgDone+pgReady, ">"+pgQuery("begin"), "<"+pgDone+pgReady),
		[]string{`1 asks "COPY t FROM"`, `2 asks "BEGIN"`}, []string{"1 is answered", "2 is answered"},
	}, {
		"rows into a table, extended", pgTalk(">"+pgParse("", "copy t from stdin")+pgBind("", "")+pgExecute+pgSync, "<"+pgMessage('1', "")+
			pgMessage('2', "")+pgMessage('G', "\x00\x00\x00"), ">"+pgMessage('d', "row")+pgMessage('c', "")+pgSync, "<"+pgDone+pgReady,
			">"+pgQuery("begin"), "<"+pgDone+pgReady),
		[]string{`1 asks "COPY t FROM"`, `2 asks "BEGIN"`}, []string{"1 is answered", "2 is answered"},
	}, {
		"large", pgTalk(">"+pgQuery("insert into t values ('"+big+"')"), "<"+pgDone+pgReady, ">"+pgParse("", "update t set a = $1")+pgBind("", big)+
			pgExecute+pgSync, "<"+pgMessage('1', "")+pgMessage('2', "")+pgMessage('D', big)+pgDone+pgReady, ">"+pgQuery("commit"), "<"+pgDone+pgReady),
		[]string{`1 asks "INSERT INTO t"`, `2 asks "UPDATE t"`, `3 asks "COMMIT"`}, []string{"1 is answered", "2 is answered", "3 is answered"},
	}} {
		t.Run(c.name, func(t *testing.T) {
			if strings.HasPrefix(c.name, "large") || c.name == "rows into a table" {
				for _, piece := range []int{1 << 30, 32 << 10, 1000, 7} { // a thousand random cuts of a megabyte take too long
					all, why := decodedWhole(t, Postgres, c.talk, func(n int) int { return min(n, piece) })
					require.Empty(t, why)
					require.Equal(t, c.up, summary(all[Up]))
					require.Equal(t, c.down, summary(all[Down]))
				}
				return
			}
			require.Equal(t, [2][]string{c.up, c.down}, sameHoweverCut(t, Postgres, c.talk))
		})
	}
}

func TestPostgresOpaque(t *testing.T) {
	for why, talk := range map[string][]fed{
		"TLS":                                                         {{Up, pgStartup(pgEncryptTLS, "")}, {Down, []byte("S")}, {Up, []byte("\x16\x03\x01hello")}, {Down, []byte("\x16\x03\x01")}},
		"GSS encryption":                                              {{Up, pgStartup(pgEncryptGSS, "")}, {Down, []byte("G")}, {Up, []byte("token")}},
		"replication":                                                 pgTalk(">"+pgQuery("start_replication"), "<"+pgMessage('W', "\x00\x00\x00")+pgMessage('d', "wal"), ">"+pgMessage('d', "ok")),
		"not PostgreSQL: it begins with 0x47":                         {{Up, []byte("GET / HTTP/1.1\r\n")}, {Down, []byte("HTTP/1.1 400\r\n")}},
		"not PostgreSQL: version 2.0":                                 {{Up, pgStartup(2<<16, "")}},
		"not PostgreSQL: a message of type 0x01":                      pgTalk(">\x01rest", "<rest"),
		"not PostgreSQL: a message 'Q' of 3 bytes":                    pgTalk(">Q\x00\x00\x00\x03"),
		"not PostgreSQL: a simple query in an extended one":           pgTalk(">" + pgParse("", "select 1") + pgQuery("commit")),
		"not PostgreSQL: encryption is answered by 0x3f":              {{Up, pgStartup(pgEncryptTLS, "")}, {Down, []byte("?")}},
		"not PostgreSQL: more than 65536 exchanges without an answer": pgTalk(">" + strings.Repeat(pgSync, pgMaxPending+1)),
	} {
		for _, piece := range []int{1 << 30, 1} {
			_, got := decodedWhole(t, Postgres, talk, func(n int) int { return min(n, piece) })
			require.Equal(t, why, got)
		}
	}
	c := Postgres.New()
	c.Feed(Up, pgStartup(pgEncryptTLS, ""))
	c.Feed(Down, []byte("S"))
	require.Len(t, c.Feed(Up, []byte("hello")), 1)
	n, _ := c.Opaque()
	require.EqualValues(t, 5, n, "what came before was understood")
}

func TestPostgresCancelIsPlain(t *testing.T) {
	all, why := decodedWhole(t, Postgres, []fed{{Up, pgStartup(pgCancel, "pid.key.")}}, func(n int) int { return n })
	require.Empty(t, why)
	require.Equal(t, []Message{{Bytes: pgStartup(pgCancel, "pid.key.")}}, all[Up])
}

func TestPostgresRefusal(t *testing.T) {
	b, err := Postgres.Refuse(Message{Bytes: []byte(pgQuery("commit"))})
	require.NoError(t, err)
	require.True(t, bytes.HasSuffix(b, []byte(pgReady)))
	require.Contains(t, string(b), "C08007\x00")
	all, why := decodedWhole(t, Postgres, append(pgTalk(">"+pgQuery("commit")), fed{Down, b}), func(n int) int { return n })
	require.Empty(t, why)
	require.Equal(t, []string{"1 is refused", "1 is answered"}, summary(all[Down]))
	_, err = Postgres.Refuse(Message{Bytes: []byte(pgParse("", "x") + pgFlush)})
	require.Error(t, err)
	require.Nil(t, Postgres.Repeat)
}

func TestSQLSignatures(t *testing.T) {
	for query, want := range map[string]string{
		"":                                   "EMPTY",
		" ; -- nothing\n;":                   "EMPTY",
		"commit":                             "COMMIT",
		"begin isolation level serializable": "BEGIN",
		"ROLLBACK TO SAVEPOINT sp_17":        "ROLLBACK TO",
		"savepoint sp_17":                    "SAVEPOINT",
		"COMMIT PREPARED 'tx-17'":            "COMMIT PREPARED",
		"Insert Into public.Outbox (a, b) values ($1, 'from x; commit')":          "INSERT INTO public.outbox",
		`INSERT INTO "Outbox" VALUES (1)`:                                         "INSERT INTO Outbox",
		"/* trace: 17 /* nested */ */ select 1, a from only Orders where id = 17": "SELECT FROM orders",
		"select extract(epoch from at) from t":                                    "SELECT FROM t",
		"select * from (select * from jobs where a = $$ from x $$) j":             "SELECT FROM jobs",
		"select id from outbox order by id limit 10 for update skip locked":       "SELECT FROM outbox FOR UPDATE",
		"select id from outbox for no key update":                                 "SELECT FROM outbox FOR UPDATE",
		"select pg_advisory_lock(17)":                                             "SELECT pg_advisory_lock()",
		"select 1":                                                                "SELECT",
		"(select 1 from a) union (select 2 from b)":                               "SELECT FROM a",
		"with due as (select id from jobs for update) update jobs set a = E'it\\'s; ' where id in (select id from due)": "UPDATE jobs",
		"update only orders set a = 1":                                                            "UPDATE orders",
		"delete from orders_20261121 where a = 1":                                                 "DELETE FROM orders_*",
		"copy orders (id, name) from stdin binary":                                                "COPY orders FROM",
		"copy (select 1 from t) to stdout":                                                        "COPY TO",
		"create unique index concurrently if not exists i on t (a)":                               "CREATE INDEX i",
		"create table if not exists t (a int)":                                                    "CREATE TABLE t",
		"create or replace function f() returns int as $body$ begin; end $body$ language plpgsql": "CREATE FUNCTION f",
		"truncate table a, b":                                                                     "TRUNCATE a",
		"set local statement_timeout = 17":                                                        "SET statement_timeout",
		"listen orders":                                                                           "LISTEN orders",
		"begin; insert into a values (1); insert into a values (2); commit":                       "BEGIN; INSERT INTO a; COMMIT",
		"insert into t values ('" + "unfinished":                                                  "INSERT INTO t",
		"'x'":                                                                                     "SQL",
		"values (1), (2)":                                                                         "VALUES",
		"with":                                                                                    "WITH",
		"insert":                                                                                  "INSERT INTO",
		"copy":                                                                                    "COPY",
		"create":                                                                                  "CREATE",
		"((":                                                                                      "SQL",
	} {
		require.Equal(t, want, sqlSignature(query), query)
	}
	require.LessOrEqual(t, len(sqlSignature(strings.Repeat("select 1 from "+strings.Repeat("a", 100)+"; commit;", 100))), maxText)
}

func FuzzPostgres(f *testing.F) {
	for i, talk := range [][]fed{
		pgTalk(">"+pgQuery("copy t from stdin"), "<"+pgMessage('G', "\x00\x00\x00"), ">"+pgMessage('d', "row")+pgMessage('c', ""), "<"+pgDone+pgReady),
		pgTalk(">"+pgParse("", "select 1 from a")+pgFlush+pgBind("", "")+pgExecute+pgSync, "<"+pgError+pgReady),
		{{Up, pgStartup(pgEncryptTLS, "")}, {Down, []byte("S")}},
	} {
		var all [2][]byte
		for _, l := range talk {
			all[l.way] = append(all[l.way], l.bytes...)
		}
		f.Add(uint64(i), all[Up], all[Down])
	}
	f.Fuzz(func(t *testing.T, seed uint64, up, down []byte) { fuzzed(t, Postgres, seed, up, down) })
}

func FuzzSQLSignature(f *testing.F) {
	f.Add("with a as (select $1) update t set a = $x$ $x$")
	f.Fuzz(func(t *testing.T, query string) {
		require.LessOrEqual(t, len(sqlSignature(query)), maxText)
		require.NotEmpty(t, sqlSignature(query))
	})
}

// benchDecoder feeds rounds of a conversation beside a plain copy of its bytes.
func benchDecoder(b *testing.B, p Protocol, hello []fed, round []fed) {
	size := 0
	for _, l := range round {
		size += len(l.bytes)
	}
	b.Run("decoded", func(b *testing.B) {
		c := p.New()
		for _, l := range hello {
			c.Feed(l.way, l.bytes)
		}
		b.SetBytes(int64(size))
		b.ReportAllocs()
		messages := 0
		for b.Loop() {
			for _, l := range round {
				messages += len(c.Feed(l.way, l.bytes))
			}
		}
		if _, why := c.Opaque(); why != "" {
			b.Fatal(why)
		}
		b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(messages), "ns/message")
	})
	b.Run("copied", func(b *testing.B) {
		b.SetBytes(int64(size))
		to := make([]byte, 1<<20)
		for b.Loop() {
			for _, l := range round {
				copy(to, l.bytes)
			}
		}
	})
}

func BenchmarkPostgres(b *testing.B) {
	row := pgMessage('D', strings.Repeat("r", 100))
	for name, rounds := range map[string][]string{
		"commit": {">" + pgQuery("commit"), "<" + pgDone + pgReady},
		"select": {">" + pgBind("s", "value") + pgMessage('D', "P\x00") + pgExecute + pgSync,
			"<" + pgMessage('2', "") + pgMessage('T', strings.Repeat("t", 50)) + row + pgDone + pgReady},
		"1000 rows": {">" + pgQuery("select a from orders where id = 17"), "<" + strings.Repeat(row, 1000) + pgDone + pgReady},
	} {
		hello := pgTalk(">"+pgParse("s", "select a from orders where id = $1")+pgSync, "<"+pgMessage('1', "")+pgReady)
		b.Run(name, func(b *testing.B) { benchDecoder(b, Postgres, hello, pgTalk(rounds...)[len(pgHello):]) })
	}
}

// A query that is held back says what it asks before its end has come.
func ExampleProtocol() {
	c := Postgres.New()
	c.Feed(Up, pgStartup(pgVersion3, "user\x00me\x00\x00"))
	c.Feed(Down, []byte(pgReady))
	fmt.Println(c.Feed(Up, []byte(pgQuery("INSERT INTO outbox (id) VALUES (17)")))[0].Signature)
	// Output: INSERT INTO outbox
}

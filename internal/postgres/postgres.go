// Package postgres finds the PostgreSQL that is installed on this machine, and prepares servers of its own: each in a directory of its own, on a
// port of its own, with nothing in it. It starts none: it says how one is started. It must never know what a server is for.
//
// A new database takes initdb a second or two. So one is made once for each version and account, kept in a cache, and copied for each server.
// It asks every client for a password, which is drawn once and kept beside it, for the account that it belongs to: on a machine that several
// people use, nobody else can reach the databases of a run.
//
// PostgreSQL refuses to run as root. For root it runs as the account "postgres", which Debian's package makes.
package postgres

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"
)

// ErrMissing says that no PostgreSQL was found, and what would be right.
var ErrMissing = errors.New("PostgreSQL is not installed: install Debian's package postgresql-15, or put postgres and initdb into PATH")

// User is the superuser of every server, and Database the database that is there from the beginning.
const (
	User     = "wreckon"
	Database = "postgres"
)

// Installation is one version on this machine.
type Installation struct {
	Version string // "15.14"
	bin     string // directory of its programs
	as      account
}

// account is who servers are run as.
type account struct {
	name     string // "" for whoever runs this
	uid, gid int
}

// Find finds the newest version that is installed: where Debian puts it, or in PATH.
func Find() (Installation, error) {
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/postgres") // the pattern is sound
	slices.SortFunc(found, func(a, b string) int { return release(b) - release(a) })
	if path, err := exec.LookPath("postgres"); err == nil {
		found = append(found, path)
	}
	for _, path := range found {
		bin := filepath.Dir(path)
		if _, err := os.Stat(filepath.Join(bin, "initdb")); err != nil {
			continue
		}
		out, err := exec.Command(path, "--version").Output()
		words := strings.Fields(string(out)) // postgres (PostgreSQL) 15.14 (Debian 15.14-0+deb12u1)
		if err != nil || len(words) < 3 {
			return Installation{}, fmt.Errorf("ask %s for its version: it said %q: %w", path, out, err)
		}
		as, err := whoRuns()
		return Installation{Version: words[2], bin: bin, as: as}, err
	}
	return Installation{}, ErrMissing
}

// release is the 15 of /usr/lib/postgresql/15/bin/postgres.
func release(path string) int {
	n, _ := strconv.Atoi(filepath.Base(filepath.Dir(filepath.Dir(path)))) // 0 for what is no number
	return n
}

func whoRuns() (account, error) {
	if os.Getuid() != 0 {
		return account{uid: os.Getuid(), gid: os.Getgid()}, nil
	}
	u, err := user.Lookup("postgres")
	if err != nil {
		return account{}, fmt.Errorf("PostgreSQL does not run as root: %w", err)
	}
	a := account{name: "postgres"}
	if a.uid, err = strconv.Atoi(u.Uid); err == nil {
		a.gid, err = strconv.Atoi(u.Gid)
	}
	return a, err
}

// Server is one that is prepared: a directory with an empty database, which whoever prepared it removes when the server is gone. One in a
// container needs nothing but a password.
type Server struct {
	Dir      string
	Password string
	in       Installation
}

// Command is how the server is started at an address: the program, and its arguments. It logs to standard error. SIGKILL loses nothing that it
// committed; a machine without power would, for it never waits for a disk.
func (s Server) Command(addr string) (path string, args []string) {
	host, port, _ := net.SplitHostPort(addr) // of what is no address the server says itself that it cannot listen there
	args = append([]string{"-D", s.Dir, "-c", "listen_addresses=" + host, "-c", "unix_socket_directories="}, settings(port)...)
	path = filepath.Join(s.in.bin, "postgres")
	if s.in.as.name != "" { // the kernel forgets, with the account, that the server is to die with whoever started it
		args = append([]string{"--reuid", s.in.as.name, "--regid", s.in.as.name, "--init-groups", "--pdeathsig", "KILL", path}, args...)
		path = "setpriv"
	}
	return path, args
}

// settings are those of every server.
func settings(port string) []string {
	args := []string{"-p", port}
	for _, setting := range []string{"fsync=off", "jit=off", "max_connections=200", "wal_level=logical"} {
		args = append(args, "-c", setting)
	}
	return args
}

// Image is what a server in a container is made of: the public image, or any that keeps its promises.
const Image = "postgres:15.14"

// Contained is how a server is started at an address in a container of Image: its arguments, and its environment. The first start takes initdb,
// and every database that follows is that of the first.
func (s Server) Contained(addr string) (args, env []string) {
	_, port, _ := net.SplitHostPort(addr)
	return settings(port), []string{"POSTGRES_USER=" + User, "POSTGRES_PASSWORD=" + s.Password, "POSTGRES_DB=" + Database,
		"POSTGRES_INITDB_ARGS=" + strings.Join(initArgs, " ")}
}

// URL is how a client reaches the server at an address, which may be that of a proxy. It holds no password: give it as PGPASSWORD.
func URL(addr string) string {
	u := url.URL{Scheme: "postgres", User: url.User(User), Host: addr, Path: Database, RawQuery: "sslmode=disable"}
	return u.String()
}

// Answers is nil if the server at an address does work for clients.
func (s Server) Answers(ctx context.Context, addr string) error {
	c, err := s.connect(ctx, addr)
	if err != nil {
		return fmt.Errorf("ask PostgreSQL at %s: %w", addr, err)
	}
	_, err = c.Exec(ctx, "SELECT 1")
	return errors.Join(err, c.Close(ctx))
}

// EndSessions ends the sessions of the clients of the server at an address, as EndSessions does.
func (s Server) EndSessions(ctx context.Context, addr string) (ended int, err error) {
	c, err := s.connect(ctx, addr)
	if err != nil {
		return 0, fmt.Errorf("connect to PostgreSQL at %s: %w", addr, err)
	}
	ended, err = EndSessions(ctx, c)
	return ended, errors.Join(err, c.Close(ctx))
}

func (s Server) connect(ctx context.Context, addr string) (*pgx.Conn, error) {
	cfg, err := pgx.ParseConfig(URL(addr))
	if err != nil {
		return nil, err
	}
	cfg.Password = s.Password
	cfg.RuntimeParams["application_name"] = Harness
	return pgx.ConnectConfig(ctx, cfg)
}

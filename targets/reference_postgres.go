package targets

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/wreckon/wreckon/history"
	"github.com/wreckon/wreckon/internal/postgres"
)

// database is the component in which the services of ReferencePostgres keep what they know.
const database = "postgres"

// ReferencePostgres describes the reference system on PostgreSQL: the same services and the same promises. What they store they store through an
// edge, so that every statement is a point, and what stores it can be killed.
func ReferencePostgres() Target {
	t := Reference()
	t.Name, t.Claims.Target = "reference-postgres", "reference-postgres"
	t.About = "The same order service on PostgreSQL, a ninth component, reached through an edge from each service. It must be installed, or in containers be there as an image."
	services := []string{"api", "relay", "saga", "inventory", "payments", "shipping", "audit"}
	at := slices.IndexFunc(t.Topology.Components, func(c Component) bool { return c.External })
	t.Topology.Components = slices.Insert(t.Topology.Components, at, Component{Name: database, About: "a PostgreSQL server, with a schema for each service", Sessions: true})
	for _, c := range services {
		t.Topology.Edges = append(t.Topology.Edges, Edge{From: c, To: database, Protocol: Postgres})
	}
	t.Claims.Drain = nil
	for _, c := range append(services, "broker") { // PostgreSQL that is told to stop waits for its clients, who stay
		t.Claims.Drain = append(t.Claims.Drain, history.Drain{Component: c, Grace: history.Duration(drainWithin)})
	}
	t.New = newReferencePostgres
	return t
}

// referencePostgres is the order service beside a server that is the run's own.
type referencePostgres struct {
	*reference
	server postgres.Server
	room   string // that is removed with the server; "": it runs in a container, which is
}

// prepareWithin is how long it may take to prepare a server, for the first time on a machine.
const prepareWithin = time.Minute

func newReferencePostgres(w Wiring) (Instance, error) {
	r := &referencePostgres{server: postgres.Server{Password: w.Token}}
	var err error
	if !w.Contained {
		if err = r.prepare(w.Data); err != nil {
			return nil, err
		}
	}
	if r.reference, err = newOrders(ReferencePostgres(), w); err != nil {
		return nil, errors.Join(err, os.RemoveAll(r.room))
	}
	r.names = slices.DeleteFunc(r.names, func(c string) bool { return c == database }) // it has no control server
	r.env = []string{"PGPASSWORD=" + r.server.Password}
	return r, nil
}

// prepare prepares a server of what is installed.
func (r *referencePostgres) prepare(data string) error {
	ctx, cancel := context.WithTimeout(context.Background(), prepareWithin)
	defer cancel()
	in, err := postgres.Find()
	if err != nil {
		return err
	}
	if r.room, err = in.Room(filepath.Join(data, database)); err != nil {
		return err
	}
	if r.server, err = in.Prepare(ctx, filepath.Join(r.room, "data")); err != nil {
		return errors.Join(err, os.RemoveAll(r.room))
	}
	return nil
}

func (r *referencePostgres) Launches() []Launch {
	addr := r.w.Listen[database]
	l := Launch{Component: database, Dir: r.room, Ready: func(ctx context.Context) error { return r.server.Answers(ctx, addr) }}
	if r.w.Contained {
		args, env := r.server.Contained(addr)
		l.Container = &Container{Image: postgres.Image, Args: args, Env: env}
	} else {
		l.Path, l.Args = r.server.Command(addr)
	}
	return append(r.reference.Launches(), l)
}

// EndSessions has the server end the sessions of the services, and returns how many they were.
func (r *referencePostgres) EndSessions(ctx context.Context, _ string) (int, error) {
	return r.server.EndSessions(ctx, r.w.Listen[database])
}

func (r *referencePostgres) Close() error {
	err := r.reference.Close()
	if rerr := os.RemoveAll(r.room); rerr != nil {
		err = errors.Join(err, fmt.Errorf("remove the database: %w", rerr))
	}
	return err
}

package environment_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wreckon/wreckon/internal/container"
	"github.com/wreckon/wreckon/internal/environment"
)

// who says what happened to whom, in its order.
func who(r *recorder) []string {
	var all []string
	for _, e := range r.events() {
		all = append(all, e.Component+" "+e.Outcome.String())
	}
	return all
}

func TestWhoWaitsStartsLater(t *testing.T) {
	shop, db, job := serving(t, "shop", "server"), serving(t, "db", "server"), component("job", "failing", "0", "0")
	shop.Container = &container.Spec{After: []container.After{{Component: "db", When: container.Ready}, {Component: "job", When: container.Ended}}}
	job.Container = &container.Spec{Once: true, After: []container.After{{Component: "db", When: container.Started}}}
	died := make(chan string, 1)
	env, rec := setup(t, environment.Options{OnExit: func(name string, _ error) { died <- name }}, shop, db, job)
	require.NoError(t, env.StartAll(t.Context()))
	story := strings.Join(who(rec), ", ")
	assert.Regexp(t, `db started.*db ready.*shop started, shop ready$`, story)
	assert.Regexp(t, `db started.*job started.*job exited.*shop started`, story)
	assert.False(t, env.Alive("job"))
	require.NoError(t, env.Probe(t.Context(), "job"), "it has done its work")
	assert.Empty(t, died, "that it ended is no news")
	require.NoError(t, env.Kill(t.Context(), "shop"))
	require.NoError(t, env.Start(t.Context(), "shop"), "and once it is started, it waits for nobody")
}

func TestAJobThatFailsIsNamed(t *testing.T) {
	shop, job := serving(t, "shop", "server"), component("job", "failing", "3", "2")
	shop.Container = &container.Spec{After: []container.After{{Component: "job", When: container.Ended}}}
	job.Container = &container.Spec{Once: true}
	env, rec := setup(t, environment.Options{}, shop, job)
	err := env.StartAll(t.Context())
	require.ErrorContains(t, err, "start job: ended before it was ready: exit status 3")
	assert.NotContains(t, who(rec), "shop started")

	lonely := serving(t, "lonely", "server")
	lonely.Container = &container.Spec{After: []container.After{{Component: "nobody"}}}
	env, _ = setup(t, environment.Options{}, lonely)
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	require.ErrorContains(t, env.StartAll(ctx), "start lonely: it waits for nobody, which is no component")
}

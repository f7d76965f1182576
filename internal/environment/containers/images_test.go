package containers_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/moby/moby/client"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wreckon/wreckon/internal/environment"
	"github.com/wreckon/wreckon/internal/environment/containers"
)

func TestWhatHasNoImageIsSaidAndNothingIsPulled(t *testing.T) {
	engine(t)
	registry := serveImage(t)
	r := place(t, environment.Options{}, containers.Options{}, "a", "b")
	r.Add(environment.Process{Name: "a", Container: &environment.Container{Image: registry.image}})
	assert.ErrorContains(t, r.StartAll(t.Context()), "prepare a: image "+registry.image+" is not on this engine, and nothing is pulled unless --pull missing says so: "+
		"docker pull "+registry.image+", or build it; make images makes some of them where there is no registry")
	assert.ErrorContains(t, r.Start(t.Context(), "a"), "nothing is pulled unless")
	assert.Zero(t, registry.asked.Load())
	r.Add(environment.Process{Name: "b", Path: "/bin/true"})
	assert.ErrorContains(t, r.Start(t.Context(), "b"), "it runs /bin/true of this machine, and names no image")
}

func TestWhatIsMissingIsPulledIfThatIsWanted(t *testing.T) {
	cli := engine(t)
	registry := serveImage(t)
	var notes []string
	opts := containers.Options{Pull: true, Note: func(text string) { notes = append(notes, text) }}
	r := place(t, environment.Options{}, opts, "server")
	p := r.component("server")
	p.Container = &environment.Container{Image: registry.image, Args: []string{"server", r.places["server"].Listen}}
	r.Add(p)
	require.NoError(t, r.StartAll(t.Context()))
	assert.Equal(t, []string{"pulling image " + registry.image}, notes)
	assert.Contains(t, r.ask(t, "server", "/env"), "OF=the image")
	require.NoError(t, r.Close(t.Context()))

	// From now on it is there, under whatever name it is asked for.
	asked := registry.asked.Load()
	opts.Images = map[string]string{"SOMETHING": registry.image}
	again := place(t, environment.Options{}, opts, "server")
	p = again.component("server")
	p.Container = &environment.Container{Image: "elsewhere.example/something:9", Args: []string{"server", again.places["server"].Listen}}
	again.Add(p)
	require.NoError(t, again.StartAll(t.Context()))
	assert.Len(t, notes, 1)
	assert.Equal(t, asked, registry.asked.Load())

	// Whoever asks for another version is told of the one that is there.
	other := strings.TrimSuffix(registry.image, ":1") + ":2"
	refused := place(t, environment.Options{}, containers.Options{}, "server")
	refused.Add(environment.Process{Name: "server", Container: &environment.Container{Image: other}})
	err := refused.StartAll(t.Context())
	assert.ErrorContains(t, err, registry.image+" is there, and taken instead with "+containers.ImageVariable)
	assert.ErrorContains(t, err, "="+registry.image)
	opts.Images = nil
	failing := place(t, environment.Options{}, opts, "server")
	failing.Add(environment.Process{Name: "server", Container: &environment.Container{Image: other}})
	assert.ErrorContains(t, failing.StartAll(t.Context()), "prepare server: pull image "+other)
	_, err = cli.ImageInspect(t.Context(), other)
	assert.Error(t, err)
}

// registry is one of this machine, with one image.
type registry struct {
	image string
	asked atomic.Int32
}

// serveImage serves an image of testdata/component, until the end of the test: then the engine has it no more, either.
func serveImage(t *testing.T) *registry {
	t.Helper()
	program, err := os.ReadFile(binary)
	require.NoError(t, err)
	var layer, packed bytes.Buffer
	archive := tar.NewWriter(&layer)
	require.NoError(t, archive.WriteHeader(&tar.Header{Name: "component", Mode: 0o755, Size: int64(len(program))}))
	_, err = archive.Write(program)
	require.NoError(t, err)
	require.NoError(t, archive.Close())
	zip := gzip.NewWriter(&packed)
	_, err = zip.Write(layer.Bytes())
	require.NoError(t, err)
	require.NoError(t, zip.Close())

	blobs := map[string][]byte{}
	blob := func(kind string, content []byte) map[string]any {
		digest := fmt.Sprintf("sha256:%x", sha256.Sum256(content))
		blobs[digest] = content
		return map[string]any{"mediaType": "application/vnd.docker." + kind, "size": len(content), "digest": digest}
	}
	config, err := json.Marshal(map[string]any{
		"architecture": runtime.GOARCH, "os": "linux", "config": map[string]any{"Entrypoint": []string{"/component"}, "Env": []string{"OF=the image"}},
		"rootfs": map[string]any{"type": "layers", "diff_ids": []string{fmt.Sprintf("sha256:%x", sha256.Sum256(layer.Bytes()))}},
	})
	require.NoError(t, err)
	const form = "distribution.manifest.v2+json"
	manifest, err := json.Marshal(map[string]any{
		"schemaVersion": 2, "mediaType": "application/vnd.docker." + form,
		"config": blob("container.image.v1+json", config),
		"layers": []any{blob("image.rootfs.diff.tar.gzip", packed.Bytes())},
	})
	require.NoError(t, err)
	blob(form, manifest)

	r := &registry{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		r.asked.Add(1)
		name := req.URL.Path[strings.LastIndex(req.URL.Path, "/")+1:]
		content, ok := blobs[name]
		if strings.HasSuffix(req.URL.Path, "/manifests/1") {
			content, ok = manifest, true
		}
		if strings.Contains(req.URL.Path, "/manifests/") {
			w.Header().Set("Content-Type", "application/vnd.docker."+form)
		}
		switch {
		case req.URL.Path == "/v2/":
		case !ok:
			w.WriteHeader(http.StatusNotFound)
		default:
			_, _ = w.Write(content)
		}
	}))
	t.Cleanup(server.Close)
	r.image = server.Listener.Addr().(*net.TCPAddr).String() + "/wreckon-test-" + fmt.Sprint(os.Getpid()) + ":1"
	cli := engine(t)
	t.Cleanup(func() {
		_, _ = cli.ImageRemove(context.Background(), r.image, client.ImageRemoveOptions{PruneChildren: true})
	})
	return r
}

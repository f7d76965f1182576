package containers

import (
	"context"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/containerd/errdefs"
	"github.com/distribution/reference"
	"github.com/moby/moby/api/pkg/authconfig"
	"github.com/moby/moby/client"
	"github.com/testcontainers/testcontainers-go"

	"github.com/wreckon/wreckon/internal/environment"
)

// ImageVariable begins the settings that name an image in place of others: WRECKON_IMAGE_POSTGRES stands in for every image that is called
// postgres, whatever its registry, its owner and its version.
const ImageVariable = "WRECKON_IMAGE_"

// imageKey is what the setting for an image ends with: POSTGRES for docker.io/library/postgres:15; "" for what names no image.
func imageKey(image string) string {
	named, err := reference.ParseNormalizedNamed(image)
	if err != nil {
		return ""
	}
	return strings.Map(func(r rune) rune {
		if r == '-' || r == '.' {
			return '_'
		}
		return r
	}, strings.ToUpper(path.Base(reference.Path(named))))
}

// image is the image that is taken where one is asked for.
func (o Options) image(asked string) string {
	if other := o.Images[imageKey(asked)]; other != "" {
		return other
	}
	return asked
}

// Prepare makes sure that the engine has the images of components, before any of them is started: getting one may take minutes. It also looks what
// they may write to, all together.
func (h *host) Prepare(ctx context.Context, all []environment.Process) error {
	h.mu.Lock()
	h.written = written(all)
	h.mu.Unlock()
	var errs []error
	var seen []string
	for _, p := range all {
		if p.Container == nil {
			continue
		}
		name := p.Container.Image
		if p.Container.Build != nil {
			name = builtName(p.Container.Build)
		}
		if slices.Contains(seen, name) {
			continue
		}
		seen = append(seen, name)
		if p.Container.Build != nil {
			if err := h.build(ctx, p.Container.Build); err != nil {
				errs = append(errs, fmt.Errorf("prepare %s: %w", p.Name, err))
			}
			continue
		}
		image := h.opts.image(p.Container.Image)
		err := has(ctx, h.engine, image)
		if errors.Is(err, errMissing) && h.opts.Pull {
			err = h.pull(ctx, image)
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("prepare %s: %w", p.Name, err))
		}
	}
	return errors.Join(errs...)
}

// Look says which images components would be made from, and is an error if the engine has not all of them. It pulls and builds nothing.
func Look(ctx context.Context, opts Options, all []environment.Process) (images []string, err error) {
	engine, err := connect(ctx)
	if err != nil {
		return nil, err
	}
	defer engine.Close()
	h := &host{opts: opts, engine: engine}
	h.opts.Pull = false
	var errs []error
	for _, p := range all {
		if p.Container == nil {
			continue
		}
		image, look := h.opts.image(p.Container.Image), error(nil)
		if b := p.Container.Build; b != nil {
			image, look = "what "+b.Context+" builds", h.bases(ctx, b)
		} else {
			look = has(ctx, engine, image)
		}
		if look != nil {
			errs = append(errs, fmt.Errorf("%s: %w", p.Name, look))
		} else if !slices.Contains(images, image) {
			images = append(images, image)
		}
	}
	return images, errors.Join(errs...)
}

var errMissing = errors.New("is not on this engine")

// has is nil if the engine has an image, and says how to get it if it has not.
func has(ctx context.Context, engine *client.Client, image string) error {
	_, err := engine.ImageInspect(ctx, image)
	if !errdefs.IsNotFound(err) {
		return err
	}
	instead := "make images makes some of them where there is no registry"
	if key := imageKey(image); key != "" {
		if others, err := engine.ImageList(ctx, client.ImageListOptions{}); err == nil {
			for _, other := range others.Items {
				for _, tag := range other.RepoTags {
					if imageKey(tag) == key {
						instead = fmt.Sprintf("%s is there, and taken instead with %s%s=%[1]s", tag, ImageVariable, key)
					}
				}
			}
		}
	}
	return fmt.Errorf("image %s %w, and nothing is pulled unless --pull missing says so: docker pull %[1]s, or build it; %[3]s", image, errMissing, instead)
}

// pull gets an image from its registry, as whoever has logged in there with docker login.
func (h *host) pull(ctx context.Context, image string) error {
	if h.opts.Note != nil {
		h.opts.Note("pulling image " + image)
	}
	var opts client.ImagePullOptions
	_, auth, err := testcontainers.DockerImageAuth(ctx, image)
	if err == nil { // otherwise nobody has
		if opts.RegistryAuth, err = authconfig.Encode(auth); err != nil {
			return fmt.Errorf("pull image %s: %w", image, err)
		}
	}
	pulled, err := h.engine.ImagePull(ctx, image, opts)
	if err == nil {
		err = pulled.Wait(ctx)
	}
	if err != nil {
		return fmt.Errorf("pull image %s: %w", image, err)
	}
	return nil
}

// present lets the library use an image that the engine has, and no other: it has no switch against pulling, and a run must not depend on
// what a registry holds today.
type present struct{ engine *client.Client }

func (present) Description() string { return "images of this engine only" }

func (p present) Substitute(image string) (string, error) {
	return image, has(context.Background(), p.engine, image)
}

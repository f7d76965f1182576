package compose

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/compose-spec/compose-go/v2/types"

	"github.com/wreckon/wreckon/internal/container"
)

// services translates what the loader has read.
func (p *Project) services() {
	for name := range p.model.Volumes {
		v := p.model.Volumes[name]
		switch {
		case bool(v.External):
			p.wrong([]any{"volumes", name}, "", "external is not supported: what is in the volume %s is somebody's, and a run would change it", name)
		case v.Driver != "" && v.Driver != "local" || len(v.DriverOpts) > 0:
			p.wrong([]any{"volumes", name}, "", "driver and driver_opts are not supported: the volume %s is made for each run, empty", name)
		}
	}
	once := map[string]bool{} // who is waited for until it has done its work
	for _, s := range p.model.Services {
		for to, d := range s.DependsOn {
			if d.Condition == types.ServiceConditionCompletedSuccessfully {
				once[to] = true
			}
		}
	}
	for _, name := range p.names() {
		s := p.service(name, p.model.Services[name])
		s.Container.Once = once[name]
		for to := range p.model.Services[name].DependsOn {
			if !once[to] && !slices.Contains(s.Needs, to) {
				s.Needs = append(s.Needs, to)
			}
		}
		slices.Sort(s.Needs)
		p.Services = append(p.Services, s)
	}
}

func (p *Project) service(name string, of types.ServiceConfig) Service {
	s := Service{Name: name, Hostname: of.Hostname, Names: []string{name}, Networks: slices.Sorted(maps.Keys(of.Networks)), texts: map[string]string{}}
	at := func(path ...any) []any { return append([]any{"services", name}, path...) }
	if of.GetScale() != 1 {
		p.wrong(at("scale"), "", "%d of %s are not supported: each component is one container", of.GetScale(), name)
	}
	c := container.Spec{
		Image: of.Image, Entrypoint: of.Entrypoint, Args: of.Command, User: of.User, Groups: of.GroupAdd, Dir: of.WorkingDir,
		StopSignal: of.StopSignal, Init: of.Init != nil && *of.Init, ReadOnly: of.ReadOnly, CapAdd: of.CapAdd, CapDrop: of.CapDrop,
		Memory: int64(of.MemLimit), Shared: int64(of.ShmSize), CPUs: float64(of.CPUS), Tmpfs: of.Tmpfs,
	}
	if of.Entrypoint != nil && len(of.Entrypoint) == 0 {
		c.Entrypoint = []string{""} // the engine's word for none
	}
	if of.Deploy != nil && of.Deploy.Resources.Limits != nil {
		c.Memory = max(c.Memory, int64(of.Deploy.Resources.Limits.MemoryBytes))
		c.CPUs = max(c.CPUs, float64(of.Deploy.Resources.Limits.NanoCPUs))
	}
	if b := of.Build; b != nil {
		c.Build = p.build(at("build"), b)
		if c.Image == "" {
			c.Image = "wreckon/" + name
		}
	}
	for _, key := range slices.Sorted(maps.Keys(of.Environment)) {
		if value := of.Environment[key]; value != nil { // otherwise it is not set where Wreckon runs, and not in the container
			c.Env = append(c.Env, key+"="+*value)
			s.texts[key] = *value
		}
	}
	s.texts[""] = strings.Join(slices.Concat(of.Entrypoint, of.Command), " ")
	c.Health = health(of.HealthCheck)
	for i, v := range of.Volumes {
		if m, ok := p.mount(at("volumes", i), v); ok {
			if v.Type == types.VolumeTypeTmpfs {
				c.Tmpfs = append(c.Tmpfs, tmpfs(v))
			} else {
				c.Mounts = append(c.Mounts, m)
			}
		}
	}
	c.Mounts = append(c.Mounts, p.files(name, of)...)
	for _, to := range slices.Sorted(maps.Keys(of.DependsOn)) {
		c.After = append(c.After, container.After{Component: to, When: when(of.DependsOn[to].Condition)})
	}
	s.Container = c
	if of.StopGracePeriod != nil {
		s.Grace = time.Duration(*of.StopGracePeriod)
	}
	s.names(p, of)
	s.Ports = portsOf(of)
	return s
}

func (p *Project) build(at []any, b *types.BuildConfig) *container.Build {
	for key, used := range map[string]bool{
		"dockerfile_inline": b.DockerfileInline != "", "ssh": len(b.SSH) > 0, "secrets": len(b.Secrets) > 0, "additional_contexts": len(b.AdditionalContexts) > 0,
		"network": b.Network != "", "extra_hosts": len(b.ExtraHosts) > 0, "privileged": b.Privileged, "entitlements": len(b.Entitlements) > 0,
		"platforms": len(b.Platforms) > 0, "isolation": b.Isolation != "",
	} {
		if used {
			p.wrong(append(slices.Clone(at), key), "build the image yourself, and name it as image", "build.%s is not supported", key)
		}
	}
	if dir, there, err := stat(b.Context); err != nil || !there || !dir {
		p.wrong(append(slices.Clone(at), "context"), "", "build.context: %s is no directory of this machine", b.Context)
	}
	return &container.Build{Context: b.Context, Dockerfile: b.Dockerfile, Target: b.Target, Args: b.Args}
}

func health(h *types.HealthCheckConfig) *container.Health {
	if h == nil {
		return nil
	}
	var spec container.Health
	if h.Timeout != nil {
		spec.Within = time.Duration(*h.Timeout)
	}
	switch {
	case h.Disable || len(h.Test) > 0 && h.Test[0] == "NONE":
	case len(h.Test) == 0:
		return nil // only how often, which is up to Wreckon: what is asked is the image's own
	case h.Test[0] == "CMD":
		spec.Command = h.Test[1:]
	default:
		spec.Command = []string{"/bin/sh", "-c", strings.Join(h.Test[1:], " ")}
	}
	return &spec
}

func when(condition string) container.When {
	switch condition {
	case types.ServiceConditionHealthy:
		return container.Ready
	case types.ServiceConditionCompletedSuccessfully:
		return container.Ended
	}
	return container.Started
}

// mount is what a volume of a service becomes.
func (p *Project) mount(at []any, v types.ServiceVolumeConfig) (container.Mount, bool) {
	m := container.Mount{Path: v.Target, ReadOnly: v.ReadOnly}
	switch v.Type {
	case types.VolumeTypeTmpfs:
		return m, true
	case types.VolumeTypeVolume:
		m.Volume = v.Source
		if v.Volume != nil && (v.Volume.Subpath != "" || v.Volume.NoCopy) {
			p.wrong(at, "", "subpath and nocopy of a volume are not supported")
		}
		return m, true
	case types.VolumeTypeBind:
		m.Source = v.Source
		_, there, err := stat(v.Source)
		switch {
		case err != nil:
			p.wrong(at, "", "%v: it is not supported as a volume", err)
		case !there:
			p.wrong(at, "", "%s is not there", v.Source)
		}
		return m, err == nil && there
	}
	p.wrong(at, "", "volumes of type %s are not supported", v.Type)
	return m, false
}

// tmpfs is a path with its options, as the short form has them.
func tmpfs(v types.ServiceVolumeConfig) string {
	text, sep := v.Target, ":"
	if v.Tmpfs != nil && v.Tmpfs.Size > 0 {
		text, sep = fmt.Sprintf("%s%ssize=%d", text, sep, int64(v.Tmpfs.Size)), ","
	}
	if v.Tmpfs != nil && v.Tmpfs.Mode > 0 {
		text = fmt.Sprintf("%s%smode=%o", text, sep, v.Tmpfs.Mode)
	}
	return text
}

// files are the secrets and configs of a service, which are files of this machine.
func (p *Project) files(name string, of types.ServiceConfig) (mounts []container.Mount) {
	add := func(what, source, target, dir, file string) {
		if file == "" {
			p.wrong([]any{"services", name, what}, "", "%s %s is not supported: only those of a file are", what, source)
			return
		}
		if _, there, err := stat(file); err != nil || !there {
			p.wrong([]any{"services", name, what}, "", "%s %s: %s is not there", what, source, file)
		}
		if target == "" {
			target = dir + source
		} else if !strings.HasPrefix(target, "/") {
			target = dir + target
		}
		mounts = append(mounts, container.Mount{Path: target, Source: file, ReadOnly: true})
	}
	for _, s := range of.Secrets {
		add("secrets", s.Source, s.Target, "/run/secrets/", p.model.Secrets[s.Source].File)
	}
	for _, c := range of.Configs {
		add("configs", c.Source, c.Target, "/", p.model.Configs[c.Source].File)
	}
	return mounts
}

// names gathers what a service and those that it links to are called.
func (s *Service) names(p *Project, of types.ServiceConfig) {
	add := func(name string) {
		if name != "" && !slices.Contains(s.Names, name) {
			s.Names = append(s.Names, name)
		}
	}
	add(of.ContainerName)
	add(of.Hostname)
	for _, network := range s.Networks {
		if n := of.Networks[network]; n != nil {
			if n.Ipv4Address != "" || n.Ipv6Address != "" || len(n.LinkLocalIPs) > 0 || n.MacAddress != "" {
				p.wrong([]any{"services", s.Name, "networks"}, "", "addresses of %s are not supported: Wreckon gives them, and services find one another by name", s.Name)
			}
			for _, alias := range n.Aliases {
				add(alias)
			}
		}
	}
	for _, other := range p.model.Services {
		for _, link := range other.Links {
			if to, alias, _ := strings.Cut(link, ":"); to == s.Name {
				add(alias)
			}
		}
	}
	for _, link := range of.Links {
		to, _, _ := strings.Cut(link, ":")
		s.Needs = append(s.Needs, to)
	}
}

// portsOf are the ports that a service says it serves.
func portsOf(of types.ServiceConfig) (ports []int) {
	add := func(port int) {
		if port > 0 && port < 1<<16 && !slices.Contains(ports, port) {
			ports = append(ports, port)
		}
	}
	for _, text := range of.Expose {
		number, protocol, _ := strings.Cut(text, "/")
		if n, err := strconv.Atoi(number); err == nil && (protocol == "" || protocol == "tcp") {
			add(n)
		}
	}
	for _, c := range of.Ports {
		if c.Protocol == "" || c.Protocol == "tcp" {
			add(int(c.Target))
		}
	}
	return ports
}

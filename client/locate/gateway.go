package locate

import (
	"context"

	"github.com/rclone-gateway/rclone-gateway/client/exit"
	"github.com/rclone-gateway/rclone-gateway/client/facts"
	"github.com/rclone-gateway/rclone-gateway/client/host"
	"github.com/rclone-gateway/rclone-gateway/client/naming"
	"github.com/rclone-gateway/rclone-gateway/client/restic"
	"github.com/rclone-gateway/rclone-gateway/client/run"
)

// throughGateway returns the selected repository on a host without Redis. Its gateway tells
// a module only about itself.
func (c *Choice) throughGateway(ctx context.Context, sys *host.System, wait *run.Waiting) (restic.Repository, error) {
	m, err := sys.Env.Module()
	if err != nil {
		return restic.Repository{}, err
	}
	if c.Module != "" && c.Module != m.ID && c.Module != m.UUID {
		return restic.Repository{}, exit.Failf(exit.Usage, "module %s is not the one of this environment, %s, and this host reaches no Redis: run it on a node", c.Module, m.ID)
	}
	app, uuid := m.App, m.UUID
	if c.Repopath != "" {
		if app, uuid, err = c.givenPath(); err != nil {
			return restic.Repository{}, err
		}
	}
	source, done, err := facts.Open(ctx, sys, wait)
	if err != nil {
		return restic.Repository{}, err
	}
	defer done()
	destination, elsewhere, err := c.destinationOf(ctx, source, m.ID)
	if err != nil {
		return restic.Repository{}, err
	}
	repository, err := source.Repository(ctx, destination, app, uuid)
	repository.Elsewhere = elsewhere
	return repository, err
}

func (c *Choice) destinationOf(ctx context.Context, source facts.Source, module string) (id, elsewhere string, err error) {
	switch {
	case c.Destination != "":
		id, err = facts.DestinationNamed(ctx, source, c.Destination)
		return id, "", err
	case c.Backup != "":
		s, err := source.Schedule(ctx, c.Backup)
		return s.Destination, "", err
	}
	schedules, err := source.Schedules(ctx)
	if err != nil {
		return "", "", err
	}
	return scheduled(schedules, module, func() ([]naming.Entry, error) { return facts.DestinationEntries(ctx, source) })
}

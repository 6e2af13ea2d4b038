package accounts

import (
	"cmp"
	"context"
	"errors"
	"path/filepath"
	"slices"
	"strings"

	"github.com/redis/go-redis/v9"
	"github.com/spf13/cobra"

	"github.com/rclone-gateway/rclone-gateway/client/account"
	"github.com/rclone-gateway/rclone-gateway/client/exit"
	"github.com/rclone-gateway/rclone-gateway/client/host"
	"github.com/rclone-gateway/rclone-gateway/client/names"
	"github.com/rclone-gateway/rclone-gateway/client/registry"
	"github.com/rclone-gateway/rclone-gateway/client/restic"
	"github.com/rclone-gateway/rclone-gateway/client/state"
	"github.com/rclone-gateway/rclone-gateway/gateway/catalog"
	"github.com/rclone-gateway/rclone-gateway/internal/envfile"
)

// moduleOptions describe a new module.
type moduleOptions struct {
	id, app, uuid, node, dir, restoreFrom, schedule string

	repositoryPassword     string // its own password, "" if none was given
	repositoryPasswordFile string
	fresh                  bool // the UUID was just generated: it has no backups yet

	runAs, runWith string // how schedules run it on this node

	host hostOptions // of a module on another host

	typed   bool // the type was given, not derived from the ID
	volumes []string
	placed  []state.PlacedVolume // parsed from volumes
}

func newModuleAdd(sys *host.System) *cobra.Command {
	var opts moduleOptions
	var output envOutput
	cmd := &cobra.Command{
		Use:   "add [flags] ID",
		Short: "Make a module's user, and print what the module needs, once",
		Long: `Make the Redis user of module ID, such as myapp1, and print what the module needs,
once: KEY=VALUE lines for the environment of module-backup and restore-module, the
password among them.

The user has its own keys and channels below module/ID/, and reads what a backup
must know: schedules, and destinations without their secrets. The gateway lets it into
the repository of its own UUID alone, and tells it the password that opens it.

A new module's repositories have a password of their own, which is in Redis and which no
other module may read. Keep it elsewhere: without it and Redis nobody can read the backups.
"destination export --with-secrets" writes it, and "repository password show" prints it.
A module that is added again keeps the one that it has. Under a UUID that is given there
may be backups already: their password is what was imported before, or what
--repository-password-file holds, and else that of each destination, which modules of
earlier versions share; "repository password rotate --module" ends that.

With --dir the module's files are there: DIR/state, DIR/volumes/NAME, and
DIR/etc/state-include.conf, which says what of them is backed up. DIR/state is made
where it is missing, with the file environment, which is part of every backup.

With --volume NAME=PATH the volume NAME lies elsewhere: in the directory PATH, or, with
docker:VOLUME, podman:VOLUME or VOLUME alone for PATH, in that volume of Docker or of
Podman. It is written to DIR/etc/volumes.conf, which module-backup and restore-module
read; DIR, and an include file that names these volumes, are made where missing.

How schedules run the module on this node is written to /etc/rclone-gateway/modules.d/ID,
or below $GATEWAY_MODULES_DIR: with the --env-file of this command, as the user of
--run-as, or by the command of --run-with, such as "docker exec myapp", behind which
module-backup is put. That file is never read from Redis, and is refused where others may
write it.

With --host-file or --pair the module is on a host of its own, which needs neither Redis
nor its settings: see "gatewayctl module join". DIR is a path there, and nothing is made
here. --host-file writes one file to carry over, with all that the module needs: its
environment, its password, the gateway's address (--gateway) and, where RESTIC_CACERT names
a CA of one's own, that CA's certificate. --pair prints a code instead, and the command to
type there: the code gives the same, once, within --pair-for, from the gateway of the
module's node. Of a module that is there, --pair makes a new password too, and the old one
ends at once, as does a code that was not used. Schedules that the module is in do on the
node what is to be done to its repository, and leave the backup to its host.

With --restore-from the module may also read the backups of the module that had
that UUID, of the same type; its own ones it makes under its own.

The same once more, with the same --password-file or --env-file, changes nothing,
and brings back what Redis has lost.

` + registry.About,
		Example: `  gatewayctl module add --dir /srv/myapp1 --env-file myapp1.env myapp1
  gatewayctl schedule add --destination ID myapp1
  gatewayctl --env-file myapp1.env module-backup 1
  gatewayctl module add --dir /srv/wiki1 --volume pages=/srv/wiki/pages --volume db=wiki_db --env-file wiki1.env wiki1
  gatewayctl module add --dir /srv/myapp2 --run-as nobody --env-file /srv/myapp2.env myapp2
  gatewayctl module add --run-with "docker exec myapp3" --env-file myapp3.env myapp3
  gatewayctl module add --host-file myapp5.host --gateway https://gateway.example.org:4694 myapp5
  gatewayctl module add --pair --gateway https://gateway.example.org:4694 --dir /srv/myapp6 myapp6
  gatewayctl module add --restore-from 0b8fbdc4-8d4b-4d1c-9c45-6e6f0f3f5d11 --dir /srv/new --env-file new.env myapp4`,
		Annotations: registry.ExitStatus(),
		Args:        cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			opts.id = args[0]
			if err := errors.Join(opts.check(), opts.checkRunner(output.envFile), opts.checkHost(sys, &output)); err != nil {
				return err
			}
			if err := opts.readRepositoryPassword(cmd.Context(), sys); err != nil {
				return err
			}
			return withAccounts(cmd.Context(), sys, func(a *accounts) error {
				if opts.host.pair {
					return a.runModulePair(cmd.Context(), opts, output.asJSON)
				}
				return a.runModuleAdd(cmd.Context(), opts, output)
			})
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&opts.app, "type", "", "application `TYPE`, the name of its image (default: ID without the digits at its end)")
	flags.StringVar(&opts.uuid, "uuid", "", "`UUID` of the module, under which its backups are (default: a random one)")
	flags.StringVar(&opts.repositoryPasswordFile, "repository-password-file", "", "`FILE` with the password that its repositories have of their own, - for stdin")
	flags.StringVar(&opts.node, "node", "", "`ID` of the node it is on (default: the only one)")
	flags.StringVar(&opts.dir, "dir", "", "`DIR` that holds the module's state, volumes and etc")
	flags.StringArrayVar(&opts.volumes, "volume", nil, "volume of the module that lies elsewhere, with --dir: `NAME=PATH`, a directory, or a volume of Docker or Podman; can be repeated")
	flags.StringVar(&opts.restoreFrom, "restore-from", "", "`UUID` of the module whose backups it may restore, or the ID of one that is there")
	flags.StringVar(&opts.runAs, "run-as", "", "`USER` of this system that schedules run the module as (default: who runs schedules)")
	flags.StringVar(&opts.runWith, "run-with", "", "`COMMAND` of this node that schedules run the module by, such as \"docker exec myapp\"")
	flags.StringVar(&opts.schedule, "schedule", "", "`NAME` or ID of a schedule that is to back it up")
	names.CompleteFlag(cmd, "restore-from", names.Complete(sys, names.ModuleEntries, names.AnyNumber))
	names.CompleteFlag(cmd, "schedule", names.Complete(sys, names.ScheduleEntries, names.AnyNumber))
	output.register(flags)
	opts.host.register(flags)
	return cmd
}

// check validates the options and derives the missing ones.
func (o *moduleOptions) check() error {
	o.typed = o.app != ""
	o.app = cmp.Or(o.app, strings.TrimRight(o.id, "0123456789"))
	switch {
	case !account.ValidModuleID(o.id):
		return exit.Failf(exit.Usage, "%q is not the ID of a module: it begins with a letter and has lower-case letters, digits, - and _, such as myapp1", o.id)
	case !account.ValidApp(o.app):
		return exit.Failf(exit.Usage, "--type %q is not the name of an image: it has lower-case letters, digits, - and _, such as myapp", o.app)
	case o.uuid != "" && !account.ValidUUID(o.uuid):
		return exit.Failf(exit.Usage, "--uuid %q is not a UUID in lower case", o.uuid)
	case o.node != "" && !account.ValidNodeID(o.node):
		return exit.Failf(exit.Usage, "--node %q is not the ID of a node: it is a number from 1 on", o.node)
	case o.uuid != "" && o.uuid == o.restoreFrom:
		return exit.Failf(exit.Usage, "--restore-from is the module's own --uuid, which it may read anyway")
	case o.dir != "" && !filepath.IsAbs(o.dir):
		return exit.Failf(exit.Usage, "--dir %s must begin with /, as it is used from everywhere", o.dir)
	}
	if len(o.volumes) > 0 && o.dir == "" {
		return exit.Failf(exit.Usage, "--volume needs --dir: which volumes there are is kept in its %s", state.VolumesFile)
	}
	var err error
	if o.placed, err = state.ParsePlacedVolumes(o.volumes); err != nil {
		return err
	}
	return checkValue("--dir", o.dir)
}

// makeState creates the module's directory if it is on this host.
func (o *moduleOptions) makeState(ctx context.Context) error {
	if o.dir == "" || o.host.elsewhere() {
		return nil
	}
	return state.Make(ctx, o.dir, o.placed, state.Identity{ID: o.id, UUID: o.uuid, Image: o.image()})
}

// image returns a stand-in for the image that NethServer 8 would have installed.
func (o *moduleOptions) image() string { return "localhost/" + o.app + ":latest" }

func (a *accounts) runModuleAdd(ctx context.Context, opts moduleOptions, output envOutput) error {
	user := account.ModuleUser(opts.id)
	earlier, err := output.earlier(user)
	if err != nil {
		return err
	}
	password, chosen, err := output.credential(a.Sys, earlier)
	if err != nil {
		return err
	}
	if err := resolveModule(ctx, a.Redis, &opts); err != nil {
		return err
	}
	if err := a.settleModule(ctx, &opts, earlier); err != nil {
		return err
	}
	if err := checkRestoreFrom(ctx, a.Redis, opts); err != nil {
		return err
	}
	told, err := a.prepareModule(opts, password, output, earlier)
	if err != nil {
		return err
	}
	defer told.drop()
	if err := opts.makeState(ctx); err != nil {
		return err
	}
	if err := a.saveModule(ctx, opts, password, chosen); err != nil {
		return err
	}
	if err := a.Announce(ctx); err != nil {
		return err
	}
	if !a.Version.ReadOnlyKeys() {
		a.Sys.Warnf("redis %s cannot give keys for reading alone, so that user %s may write none at all: redis-restore needs Redis 7", a.Version, user)
	}
	if err := told.tell(a.Sys); err != nil {
		return err
	}
	if opts.host.elsewhere() {
		opts.tellHostFile(a.Sys)
		return nil
	}
	return a.writeRunner(opts, output.envFile)
}

func (a *accounts) prepareModule(opts moduleOptions, password string, output envOutput, earlier earlierEnv) (*pending, error) {
	vars, err := a.moduleVariables(opts, password)
	if opts.host.elsewhere() {
		vars, err = a.hostLines(opts, password)
	}
	if err != nil {
		return nil, err
	}
	return output.prepare(earlier.renewed(vars))
}

// moduleVariables returns the environment for the module's commands.
func (a *accounts) moduleVariables(opts moduleOptions, password string) ([]envfile.Variable, error) {
	server, err := a.redisVariables(account.ModuleUser(opts.id), password)
	return slices.Concat(opts.ownVariables(), server, gatewayVariables(a.Sys)), err
}

// ownVariables returns the variables for the module's identity and the place of its files.
func (o *moduleOptions) ownVariables() []envfile.Variable {
	vars := []envfile.Variable{
		{Name: "MODULE_ID", Value: o.id}, {Name: "MODULE_UUID", Value: o.uuid}, {Name: "IMAGE_URL", Value: o.image()}, {Name: "NODE_ID", Value: o.node},
	}
	if o.dir != "" {
		vars = append(vars, envfile.Variable{Name: "AGENT_INSTALL_DIR", Value: o.dir}, envfile.Variable{Name: "AGENT_STATE_DIR", Value: filepath.Join(o.dir, "state")})
	}
	return append(vars, envfile.Variable{Name: "NS8_RESTIC_RUNTIME", Value: string(restic.Native)})
}

// saveModule writes the module's keys and its user in one transaction.
func (a *accounts) saveModule(ctx context.Context, opts moduleOptions, password string, chosen bool) error {
	user := account.ModuleUser(opts.id)
	watched := []string{catalog.ModuleUUID, catalog.ModuleNode, catalog.ACLs, catalog.ModulePassword}
	joins, err := a.joins(ctx, opts)
	if err != nil {
		return err
	}
	for _, id := range joins {
		watched = append(watched, catalog.BackupKey(id))
	}
	what := "add module " + opts.id
	if opts.restoreFrom != "" {
		what += ", which may restore from " + opts.restoreFrom
	}
	var own repositoryPassword
	err = a.Change(ctx, what, func(tx *redis.Tx) (func(redis.Pipeliner), error) {
		if err := checkNewModule(ctx, tx, opts, password, chosen); err != nil {
			return nil, err
		}
		if own, err = settleRepositoryPassword(ctx, tx, opts); err != nil {
			return nil, err
		}
		join, err := joinSchedules(ctx, tx, opts.id, joins)
		if err != nil {
			return nil, err
		}
		return func(p redis.Pipeliner) {
			p.HSet(ctx, catalog.ModuleUUID, opts.id, opts.uuid)
			p.HSet(ctx, catalog.ModuleNode, opts.id, opts.node)
			p.HSet(ctx, catalog.ModuleEnvironmentKey(opts.id), "MODULE_ID", opts.id, "MODULE_UUID", opts.uuid,
				catalog.FieldNodeID, opts.node, catalog.FieldImageURL, opts.image())
			if opts.restoreFrom != "" {
				p.HSet(ctx, catalog.RestoreUUID, opts.uuid, opts.restoreFrom)
			}
			join(p)
			opts.host.mark(ctx, p, opts.id)
			rules := account.AddPassword(password)
			if opts.host.pair {
				rules = account.SetPassword(password)
			}
			own.write(ctx, p, opts.uuid)
			registry.SetUser(ctx, p, user, append(own.rules(opts.id, a.Version), rules...)...)
		}, nil
	}, watched...)
	if err == nil {
		own.tell(a.Sys, opts.id)
	}
	return err
}

// joins returns the IDs of the schedules that will back up the new module.
func (a *accounts) joins(ctx context.Context, opts moduleOptions) ([]string, error) {
	joins, err := a.takers(ctx, opts.id, opts.node)
	if err == nil && opts.schedule != "" && !slices.Contains(joins, opts.schedule) {
		joins = append(joins, opts.schedule)
	}
	return joins, err
}

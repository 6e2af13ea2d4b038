package accounts

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/redis/go-redis/v9"
	"github.com/spf13/pflag"

	"github.com/rclone-gateway/rclone-gateway/client/account"
	"github.com/rclone-gateway/rclone-gateway/client/exit"
	"github.com/rclone-gateway/rclone-gateway/client/registry"
	"github.com/rclone-gateway/rclone-gateway/internal/envfile"
)

// rotation holds the options for a new password: it replaces the old one at once, or both
// are valid until --drop-old.
type rotation struct {
	envOutput

	keepOld, dropOld bool
}

func (o *rotation) register(flags *pflag.FlagSet) {
	o.envOutput.register(flags)
	flags.BoolVar(&o.keepOld, "keep-old", false, "the old password stays valid, until --drop-old")
	flags.BoolVar(&o.dropOld, "drop-old", false, "only the password in the --env-file or --password-file stays valid; no new one is made")
}

// rotate gives a user a new password, and prints or writes the whole environment that whole
// returns for it.
func (a *accounts) rotate(ctx context.Context, o *rotation, user string, whole func(password string) ([]envfile.Variable, error)) error {
	switch {
	case o.keepOld && o.dropOld:
		return exit.Failf(exit.Usage, "--keep-old and --drop-old are two steps: first the one, then the other")
	case o.dropOld:
		return a.dropOld(ctx, o, user)
	}
	password, _, err := o.credential(a.Sys, earlierEnv{})
	if err != nil {
		return err
	}
	earlier, err := o.earlier(user)
	if err != nil {
		return err
	}
	vars, err := whole(password)
	if err != nil {
		return err
	}
	vars = earlier.renewed(vars)
	if id, isModule := strings.CutPrefix(user, account.ModuleUser("")); isModule {
		defer warnOfLostDir(a.Sys, id, o.envFile, vars)
	}
	output, err := o.prepare(vars)
	if err != nil {
		return err
	}
	defer output.drop()
	if o.keepOld {
		err = a.addPassword(ctx, user, password)
	} else {
		err = a.setPassword(ctx, user, password)
	}
	if err != nil {
		return err
	}
	return output.tell(a.Sys)
}

// setPassword replaces the passwords of an existing user.
func (a *accounts) setPassword(ctx context.Context, user, password string) error {
	if _, err := a.passwords(ctx, user); err != nil {
		return err
	}
	return a.replacePasswords(ctx, user, "change the password of "+user, account.SetPassword(password)...)
}

// addPassword gives a user a second password. Its connections stay, since both are valid.
func (a *accounts) addPassword(ctx context.Context, user, password string) error {
	digests, err := a.passwords(ctx, user)
	if err != nil {
		return err
	}
	if len(digests) > 1 {
		kind, id, _ := strings.Cut(user, "/")
		return exit.Failf(exit.Conflict, "%s %s has %d passwords already: end that rotation first, with gatewayctl %[1]s passwd --drop-old --env-file FILE %[2]s, where FILE holds the one that is to stay", kind, id, len(digests))
	}
	if err := a.changeUser(ctx, user, "add a password of "+user, account.AddPassword(password)...); err != nil {
		return err
	}
	return a.Announce(ctx)
}

// dropOld removes all passwords of a user except the one in a file.
func (a *accounts) dropOld(ctx context.Context, o *rotation, user string) error {
	earlier, err := o.earlier(user)
	if err != nil {
		return err
	}
	if o.passwordFile == "" && earlier.values["REDIS_PASSWORD"] == "" {
		return exit.Failf(exit.Usage, "--drop-old: which password is to stay? Name the file that holds it with --env-file, or with --password-file")
	}
	password, _, err := o.credential(a.Sys, earlier)
	if err != nil {
		return err
	}
	digests, err := a.passwords(ctx, user)
	if err != nil {
		return err
	}
	if !slices.Contains(digests, account.Digest(password)) {
		return exit.Failf(exit.Conflict, "--drop-old: the password in %s is not one of user %s: nothing was changed", cmp.Or(o.passwordFile, o.envFile), user)
	}
	return a.replacePasswords(ctx, user, "end the old password of "+user, account.SetPassword(password)...)
}

// passwords returns the digests of an existing user's passwords.
func (a *accounts) passwords(ctx context.Context, user string) ([]string, error) {
	list, err := a.OwnUsers(ctx)
	if err != nil {
		return nil, err
	}
	if !list.Has(user) {
		return nil, notThere(user)
	}
	return list.Digests(user), nil
}

// replacePasswords replaces passwords, and closes the connections that may have used the
// old ones.
func (a *accounts) replacePasswords(ctx context.Context, user, what string, rules ...string) error {
	if err := a.changeUser(ctx, user, what, rules...); err != nil {
		return err
	}
	// Gateways learn it first, since they accept the old password until then.
	return errors.Join(a.Announce(ctx), a.CutOff(ctx, user))
}

// changeUser changes a user, and records the change.
func (a *accounts) changeUser(ctx context.Context, user, what string, rules ...string) error {
	_, err := a.Redis.Pipelined(ctx, func(p redis.Pipeliner) error {
		registry.SetUser(ctx, p, user, rules...)
		a.Sys.Changed(what).Write(ctx, p)
		return nil
	})
	return a.Failed(what, err)
}

package names

import (
	"context"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/spf13/cobra"

	"github.com/rclone-gateway/rclone-gateway/client/host"
	"github.com/rclone-gateway/rclone-gateway/client/naming"
)

// completionTimeout bounds the wait for Redis while somebody waits for the shell.
const completionTimeout = 2 * time.Second

// AnyNumber is how many arguments a command takes that takes many.
const AnyNumber = -1

// lister returns all things of a kind.
type lister func(ctx context.Context, rdb *redis.Client) ([]naming.Entry, error)

// Complete offers what list finds for the first arguments of a command, up to most
// of them. Whatever fails, nothing is offered: a shell has no place for errors.
func Complete(sys *host.System, list lister, most int) cobra.CompletionFunc {
	return func(cmd *cobra.Command, args []string, typed string) ([]cobra.Completion, cobra.ShellCompDirective) {
		if most != AnyNumber && len(args) >= most {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		takeGlobals(cmd)
		return offer(cmd.Context(), sys, list, args, typed), cobra.ShellCompDirectiveNoFileComp
	}
}

// takeGlobals does before a completion what is done before a command: the options of
// the program become its environment.
func takeGlobals(cmd *cobra.Command) {
	if take := cmd.Root().PersistentPreRunE; take != nil {
		_ = take(cmd, nil) // a file that cannot be read leaves nothing to offer
	}
}

// offer returns the IDs that begin with what was typed, described by their names, and
// the names that do, but for what args hold already. A name that more than one thing
// has is offered by IDs alone.
func offer(ctx context.Context, sys *host.System, list lister, args []string, typed string) []cobra.Completion {
	if ctx == nil {
		ctx = context.Background()
	}
	ctx, cancel := context.WithTimeout(ctx, completionTimeout)
	defer cancel()
	entries := entriesOf(ctx, sys, list)
	count := map[string]int{}
	for _, e := range entries {
		count[e.Name]++
	}
	var found []cobra.Completion
	for _, e := range entries {
		if slices.Contains(args, e.ID) || e.Name != "" && slices.Contains(args, e.Name) {
			continue
		}
		if strings.HasPrefix(e.ID, typed) {
			found = append(found, cobra.CompletionWithDesc(e.ID, naming.Printable(e.Name)))
		}
		if e.Name != "" && count[e.Name] == 1 && naming.Printable(e.Name) == e.Name && strings.HasPrefix(strings.ToLower(e.Name), strings.ToLower(typed)) {
			found = append(found, cobra.CompletionWithDesc(e.Name, e.ID))
		}
	}
	return found
}

// entriesOf asks Redis as whoever may read it: the administrator, the module, the node,
// or user "default".
func entriesOf(ctx context.Context, sys *host.System, list lister) []naming.Entry {
	quiet := &host.System{Stdin: strings.NewReader(""), Stdout: io.Discard, Stderr: io.Discard, Env: sys.Env}
	for _, connect := range []func(context.Context) (*redis.Client, error){
		func(ctx context.Context) (*redis.Client, error) { return quiet.Redis(ctx, host.LocalAgent) },
		func(ctx context.Context) (*redis.Client, error) { return quiet.Redis(ctx, host.LocalDefault) },
		quiet.Administrator,
	} {
		rdb, err := connect(ctx)
		if err != nil {
			continue
		}
		entries, err := list(ctx, rdb)
		_ = rdb.Close()
		if err == nil {
			return entries
		}
	}
	return nil
}

// CompleteWrapper offers the values of restic-wrapper's own options, which it parses
// itself, and their names.
func CompleteWrapper(ctx context.Context, sys *host.System, args []string, typed string) ([]cobra.Completion, cobra.ShellCompDirective) {
	lists := map[string]lister{"--module": ModuleEntries, "--backup": ScheduleEntries, "--destination": DestinationEntries}
	if len(args) > 0 {
		if list := lists[args[len(args)-1]]; list != nil {
			return offer(ctx, sys, list, nil, typed), cobra.ShellCompDirectiveNoFileComp
		}
	}
	if name, value, joined := strings.Cut(typed, "="); joined && lists[name] != nil {
		found := offer(ctx, sys, lists[name], nil, value)
		for i := range found {
			found[i] = name + "=" + found[i]
		}
		return found, cobra.ShellCompDirectiveNoFileComp
	}
	if !strings.HasPrefix(typed, "-") {
		return nil, cobra.ShellCompDirectiveDefault
	}
	var found []cobra.Completion
	for _, name := range []string{"--module", "--backup", "--destination", "--repopath", "--at", "--podman", "--show"} {
		if strings.HasPrefix(name, typed) {
			found = append(found, name)
		}
	}
	return found, cobra.ShellCompDirectiveNoFileComp
}

// CompleteFlag makes a flag's values completed.
func CompleteFlag(cmd *cobra.Command, name string, offer cobra.CompletionFunc) {
	// It fails only for a flag that is not there, which the tests of completion find.
	_ = cmd.RegisterFlagCompletionFunc(name, offer)
}

// OneOf offers words.
func OneOf(words ...string) cobra.CompletionFunc {
	return cobra.FixedCompletions(words, cobra.ShellCompDirectiveNoFileComp)
}

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

// completionTimeout bounds the wait for Redis during a completion.
const completionTimeout = 2 * time.Second

// AnyNumber stands for commands with any number of arguments.
const AnyNumber = -1

// lister returns all entries of a kind.
type lister func(ctx context.Context, rdb *redis.Client) ([]naming.Entry, error)

// Complete completes up to most arguments of a command from what list returns. After an
// error it offers nothing: a shell cannot show errors.
func Complete(sys *host.System, list lister, most int) cobra.CompletionFunc {
	return func(cmd *cobra.Command, args []string, typed string) ([]cobra.Completion, cobra.ShellCompDirective) {
		if most != AnyNumber && len(args) >= most {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		takeGlobals(cmd)
		return offer(cmd.Context(), sys, list, args, typed), cobra.ShellCompDirectiveNoFileComp
	}
}

// takeGlobals does what happens before a command: the program's options become environment
// variables.
func takeGlobals(cmd *cobra.Command) {
	if take := cmd.Root().PersistentPreRunE; take != nil {
		_ = take(cmd, nil) // an unreadable file leaves nothing to offer
	}
}

// offer returns the IDs that begin with the typed text, with names as descriptions, and the
// names that begin with it, except those in args. Ambiguous names are left out.
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

// entriesOf asks Redis with the first credentials that work: the administrator's, the
// module's, the node's, or user "default".
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

// CompleteWrapper completes restic-wrapper's own options and their values, since it parses
// its arguments itself.
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

// CompleteFlag completes a flag's values.
func CompleteFlag(cmd *cobra.Command, name string, offer cobra.CompletionFunc) {
	// It fails only for an unknown flag, which the tests of completion would find.
	_ = cmd.RegisterFlagCompletionFunc(name, offer)
}

// OneOf completes from a list of words.
func OneOf(words ...string) cobra.CompletionFunc {
	return cobra.FixedCompletions(words, cobra.ShellCompDirectiveNoFileComp)
}

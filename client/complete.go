package client

import (
	"context"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/spf13/cobra"

	"github.com/rclone-gateway/rclone-gateway/client/naming"
)

// completionTimeout bounds the wait for Redis while somebody waits for the shell.
const completionTimeout = 2 * time.Second

// anyNumber is how many arguments a command takes that takes many.
const anyNumber = -1

// lister returns all things of a kind.
type lister func(ctx context.Context, rdb *redis.Client) ([]naming.Entry, error)

// complete offers what list finds for the first arguments of a command, up to most
// of them. Whatever fails, nothing is offered: a shell has no place for errors.
func complete(sys *system, list lister, most int) cobra.CompletionFunc {
	return func(cmd *cobra.Command, args []string, typed string) ([]cobra.Completion, cobra.ShellCompDirective) {
		if most != anyNumber && len(args) >= most {
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
func offer(ctx context.Context, sys *system, list lister, args []string, typed string) []cobra.Completion {
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
func entriesOf(ctx context.Context, sys *system, list lister) []naming.Entry {
	quiet := &system{stdin: strings.NewReader(""), stdout: io.Discard, stderr: io.Discard, env: sys.env}
	for _, connect := range []func(context.Context) (*redis.Client, error){
		func(ctx context.Context) (*redis.Client, error) { return quiet.redis(ctx, localAgent) },
		func(ctx context.Context) (*redis.Client, error) { return quiet.redis(ctx, localDefault) },
		quiet.administrator,
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

// completeWrapper offers the values of restic-wrapper's own options, which it parses
// itself, and their names.
func completeWrapper(ctx context.Context, sys *system, args []string, typed string) ([]cobra.Completion, cobra.ShellCompDirective) {
	lists := map[string]lister{"--module": moduleEntries, "--backup": scheduleEntries, "--destination": destinationEntries}
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
	for _, name := range []string{"--module", "--backup", "--destination", "--repopath", "--podman", "--show"} {
		if strings.HasPrefix(name, typed) {
			found = append(found, name)
		}
	}
	return found, cobra.ShellCompDirectiveNoFileComp
}

// completeFlag makes a flag's values completed.
func completeFlag(cmd *cobra.Command, name string, offer cobra.CompletionFunc) {
	// It fails only for a flag that is not there, which the tests of completion find.
	_ = cmd.RegisterFlagCompletionFunc(name, offer)
}

// oneOf offers words.
func oneOf(words ...string) cobra.CompletionFunc {
	return cobra.FixedCompletions(words, cobra.ShellCompDirectiveNoFileComp)
}

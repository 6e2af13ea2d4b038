package destinations

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/rclone-gateway/rclone-gateway/client/destination"
	"github.com/rclone-gateway/rclone-gateway/client/gatewayadmin"
	"github.com/rclone-gateway/rclone-gateway/client/host"
	"github.com/rclone-gateway/rclone-gateway/client/ns8action"
	"github.com/rclone-gateway/rclone-gateway/gateway/catalog"
	"github.com/rclone-gateway/rclone-gateway/internal/adminapi"
)

func newDestinationList(sys *host.System) *cobra.Command {
	var asJSON, action bool
	cmd := &cobra.Command{
		Use:     "list [flags]",
		Aliases: []string{"ls"},
		Short:   "List the destinations, their space, and the schedules that use them",
		Long: `List the destinations, their space, and the schedules that use them. No secret is
shown.

The gateway of this node asks each storage what is used and what is free there, by
whomever; many storages do not tell, and then it is "-". TRASH is what is kept of deleted
objects. Under a quota it is told
what of it the backups take, once that was counted.`,
		Example: `  gatewayctl destination list
  gatewayctl destination list --json | jq -r '.[].id'`,
		Annotations: destinationStatus(),
		Args:        cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return withDestinations(cmd.Context(), sys, func(d *destinations) error {
				if action {
					return d.actList(cmd.Context())
				}
				return d.runList(cmd.Context(), asJSON)
			})
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	ns8action.Flag(cmd, &action, "list-backup-repositories")
	return cmd
}

// shown is a destination as it may be shown.
type shown struct {
	ID         string            `json:"id"`
	Name       string            `json:"name"`
	Provider   string            `json:"provider"`
	URL        string            `json:"url"`
	BasePath   string            `json:"basepath"`
	Parameters map[string]string `json:"parameters"`
	Schedules  map[string]string `json:"schedules"` // names by ID
	Limits     map[string]int64  `json:"limits"`    // by field of their hash
}

// surveyed is one in the list, with its space as far as that is known.
type surveyed struct {
	shown

	Space adminapi.Space `json:"space"`
}

func (r record) shown(schedules map[string]string) shown {
	if schedules == nil {
		schedules = map[string]string{}
	}
	return shown{r.id, r.name, r.provider, r.url, r.basePath, destination.PublicParameters(r.section()), schedules, r.limits.Fields()}
}

func (d *destinations) runList(ctx context.Context, asJSON bool) error {
	records, err := d.all(ctx)
	if err != nil {
		return err
	}
	used, err := d.allSchedules(ctx)
	if err != nil {
		return err
	}
	space, err := gatewayadmin.Space(ctx, d.sys)
	if err != nil {
		d.sys.Notef("what is used and free is not known: %v", err)
	}
	list := make([]surveyed, len(records))
	for i, r := range records {
		list[i] = surveyed{r.shown(used[r.id]), space[r.id]}
	}
	if asJSON {
		return d.sys.PrintJSON(list)
	}
	table := tabwriter.NewWriter(d.sys.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "ID\tNAME\tPROVIDER\tURL\tUSED\tFREE\tTRASH\tQUOTA\tSCHEDULES")
	for _, s := range list {
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", s.ID, host.Printable(s.Name), s.Provider, host.Printable(s.URL),
			size(s.Space.Used), size(s.Space.Free), size(s.Space.Trash), s.quota(), cmp.Or(scheduleNames(s.Schedules), "-"))
	}
	return table.Flush()
}

// size tells a number of bytes that may not be known.
func size(n *int64) string {
	if n == nil || *n < 0 {
		return "-"
	}
	return host.FormatBytes(uint64(*n))
}

// quota returns that of the whole destination, and what of it is used.
func (s surveyed) quota() string {
	quota, limited := s.Limits[catalog.FieldQuota]
	switch {
	case !limited:
		return "-"
	case s.Space.Held == nil:
		return size(&quota)
	}
	return size(s.Space.Held) + " of " + size(&quota)
}

// scheduleNames tells schedules by name and ID.
func scheduleNames(schedules map[string]string) string {
	names := make([]string, 0, len(schedules))
	for _, id := range slices.Sorted(maps.Keys(schedules)) {
		names = append(names, fmt.Sprintf("%s (%s)", host.Printable(cmp.Or(schedules[id], "unnamed")), id))
	}
	return strings.Join(names, ", ")
}

// listed is a destination in the output of list-backup-repositories. The password
// is in the contract, and empty: whoever may list may not read backups.
type listed struct {
	ID         string            `json:"id"`
	Provider   string            `json:"provider"`
	Name       string            `json:"name"`
	URL        string            `json:"url"`
	Password   string            `json:"password"`
	BasePath   string            `json:"basepath"`
	Parameters map[string]string `json:"parameters"`
}

func (d *destinations) actList(ctx context.Context) error {
	records, err := d.all(ctx)
	if err != nil {
		return err
	}
	list := make([]listed, len(records))
	for i, r := range records {
		list[i] = listed{r.id, r.provider, r.name, r.url, "", r.basePath, destination.PublicParameters(r.section())}
	}
	return json.NewEncoder(d.sys.Stdout).Encode(struct {
		Repositories   []listed `json:"repositories"`
		PasswordExists bool     `json:"password_exists"`
	}{list, passphraseExists(d.sys)})
}

// passphraseExists reports whether the passphrase of the cluster's own backup is set.
func passphraseExists(s *host.System) bool {
	dir, _ := s.Env.Lookup("AGENT_STATE_DIR")
	info, err := os.Stat(filepath.Join(dir, "backup", "passphrase"))
	return err == nil && info.Size() > 0
}

package destinations

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/redis/go-redis/v9"
	"github.com/spf13/cobra"

	"github.com/rclone-gateway/rclone-gateway/client/account"
	"github.com/rclone-gateway/rclone-gateway/client/destination"
	"github.com/rclone-gateway/rclone-gateway/client/exit"
	"github.com/rclone-gateway/rclone-gateway/client/host"
	"github.com/rclone-gateway/rclone-gateway/client/ns8action"
	"github.com/rclone-gateway/rclone-gateway/client/ownpassword"
	"github.com/rclone-gateway/rclone-gateway/gateway/catalog"
)

func newDestinationImport(sys *host.System) *cobra.Command {
	var passphraseFile string
	var asJSON, action bool
	cmd := &cobra.Command{
		Use:   "import [flags] FILE",
		Short: "Take over destinations that were exported, or from a cluster backup",
		Long: `Take over destinations that "export" wrote, or those of NethServer 8's cluster
backup, encrypted or not. FILE is - for stdin. Destinations that exist already are
left as they are, and so are disks of another cluster's nodes. The repository passwords
that modules have of their own come back with them, where Redis has no other: add the
modules afterwards, each with the UUID that it had.

A section of rclone.conf becomes a destination with "add --provider rclone".`,
		Example: `  gatewayctl destination import destinations.json
  gatewayctl destination import --passphrase-file passphrase.txt cluster-backup.json.gz.gpg
  ssh other gatewayctl destination export --with-secrets | gatewayctl destination import -`,
		Annotations: destinationStatus(),
		Args:        ns8action.Unless(&action, oneFile),
		RunE: func(cmd *cobra.Command, args []string) error {
			return withDestinations(cmd.Context(), sys, func(d *destinations) error {
				if action {
					return d.actImport(cmd.Context())
				}
				return ns8action.ForPeople(d.runImport(cmd.Context(), args[0], passphraseFile, asJSON))
			})
		},
	}
	cmd.Flags().StringVar(&passphraseFile, "passphrase-file", "", "`FILE` with the passphrase of an encrypted cluster backup")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print the counts as JSON")
	ns8action.Flag(cmd, &action, "import-backup-destinations")
	return cmd
}

func oneFile(_ *cobra.Command, args []string) error {
	if len(args) != 1 {
		return errors.New("give one file that export wrote, or - for stdin")
	}
	return nil
}

// imported is the output of import-backup-destinations.
type imported struct {
	Imported int `json:"imported_destinations"`
	Skipped  int `json:"skipped_destinations"`
}

func (d *destinations) actImport(ctx context.Context) error {
	return ns8action.Act(d.sys, func(raw map[string]any) (any, error) {
		encoded, given := raw["backup_data"].(string)
		passphrase, also := raw["backup_password"].(string)
		if !given || !also {
			var missing []destination.Problem
			for name, there := range map[string]bool{"backup_data": given, "backup_password": also} {
				if !there {
					missing = append(missing, destination.Problem{Field: name, Kind: destination.Required})
				}
			}
			return nil, ns8action.Malformed(missing)
		}
		data, err := base64.StdEncoding.DecodeString(encoded)
		if err != nil {
			return nil, ns8action.NewFault("backup_data", "invalid_base64", "", actionRefused, exit.Invalid, "%v", err)
		}
		return d.importFrom(ctx, data, passphrase)
	})
}

func (d *destinations) runImport(ctx context.Context, file, passphraseFile string, asJSON bool) error {
	text, err := d.sys.ReadFile(file)
	if err != nil {
		return err
	}
	passphrase := ""
	const what = "passphrase of the cluster backup"
	switch prompt := d.sys.Prompter(); {
	case passphraseFile != "":
		passphrase, err = d.sys.SecretFrom(ctx, passphraseFile, what)
	case !destination.IsEncrypted([]byte(text)):
	case prompt != nil:
		passphrase, err = prompt.AskSecret(ctx, what)
	default:
		err = exit.Failf(exit.Usage, "%s is encrypted: give its passphrase with --passphrase-file", host.NameOfInput(file))
	}
	if err != nil {
		return err
	}
	result, err := d.importFrom(ctx, []byte(text), passphrase)
	if err != nil {
		return err
	}
	if asJSON {
		return json.NewEncoder(d.sys.Stdout).Encode(result)
	}
	_, err = fmt.Fprintf(d.sys.Stdout, "%d imported, %d skipped\n", result.Imported, result.Skipped)
	return err
}

// importFrom saves the destinations of an archive that do not exist yet, in one
// transaction.
func (d *destinations) importFrom(ctx context.Context, data []byte, passphrase string) (imported, error) {
	a, err := destination.ParseArchive(data, passphrase)
	switch {
	case errors.Is(err, destination.ErrPassphrase):
		return imported{}, ns8action.NewFault("backup_password", "invalid_passphrase", "", actionPassphrase, exit.Invalid, "%v", err)
	case err != nil:
		return imported{}, ns8action.NewFault("backup_data", "invalid_json", "", actionRefused, exit.Invalid, "%v", err)
	}
	cluster, err := d.rdb.Get(ctx, catalog.ClusterUUID).Result()
	if err != nil && !errors.Is(err, redis.Nil) {
		return imported{}, d.failed("read "+catalog.ClusterUUID, err)
	}
	if err := d.importModulePasswords(ctx, a.Cluster.ModulePasswords); err != nil {
		return imported{}, err
	}
	var result imported
	var records []record
	for _, id := range slices.Sorted(maps.Keys(a.Cluster.Destinations)) {
		archived := a.Cluster.Destinations[id]
		if archived.Provider == destination.Cluster && (cluster == "" || cluster != a.Cluster.UUID) {
			d.sys.Notef("skipped %s: it is on the disk of a node of another cluster", id)
			result.Skipped++
			continue
		}
		_, err := d.get(ctx, id)
		if err == nil {
			result.Skipped++
			continue
		} else if _, absent := errors.AsType[*ns8action.Fault](err); !absent {
			return imported{}, err
		}
		rec, err := d.archivedRecord(ctx, a, id)
		if err != nil {
			d.sys.Warnf("skipped destination %s: %v", id, err)
			result.Skipped++
			continue
		}
		records = append(records, rec)
	}
	if len(records) == 0 {
		return result, nil
	}
	result.Imported = len(records)
	return result, d.create(ctx, records...)
}

// importModulePasswords saves the passwords that belong to one module. It does nothing on
// NethServer 8, whose modules share the password of each destination.
func (d *destinations) importModulePasswords(ctx context.Context, passwords map[string]string) error {
	if len(passwords) == 0 {
		return nil
	}
	users, err := d.rdb.ACLList(ctx).Result()
	if err != nil {
		return d.failed("list the users", err)
	}
	if account.List(users).OfNS8() {
		d.sys.Warnf("skipped the repository passwords that %d modules had of their own: NethServer 8's modules open no such repository", len(passwords))
		return nil
	}
	n, err := ownpassword.Import(ctx, d.sys, d.rdb, passwords)
	if n > 0 {
		d.sys.Notef("imported the repository passwords of %d modules", n)
	}
	return err
}

// archivedRecord converts an archived destination to a record.
func (d *destinations) archivedRecord(ctx context.Context, a *destination.Archive, id string) (record, error) {
	archived := a.Cluster.Destinations[id]
	rec := record{id: id, provider: archived.Provider, name: archived.Name, url: archived.URL, basePath: archived.BasePath, password: archived.Password}
	var err error
	if rec.limits, err = limitsFrom(archived.Limits); err != nil {
		return rec, fmt.Errorf("its limits: %w", err)
	}
	if !a.Old() {
		conf, err := archived.Section(id)
		rec.conf = conf
		return rec, err
	}
	if archived.OldPassword == "" || !account.ValidUUID(id) {
		return rec, errors.New("it has no password, or no ID")
	}
	rec.password = archived.OldPassword
	storage, err := archived.Storage()
	if err != nil {
		return rec, err
	}
	return rec, d.complete(ctx, &rec, storage, archived.Name)
}

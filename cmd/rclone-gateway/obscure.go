package main

import (
	"encoding/json"
	"errors"
	"io"

	"github.com/spf13/cobra"

	"github.com/rclone-gateway/rclone-gateway/gateway/admin"
	"github.com/rclone-gateway/rclone-gateway/internal/adminapi"
)

func newObscure() *cobra.Command {
	return &cobra.Command{
		Use:   "obscure",
		Short: "Obscure the passwords of an rclone section, as rclone wants them in its configuration",
		Long: `Obscure the passwords of an rclone section, as rclone wants them in its
configuration. The type of the remote and the values come as JSON on stdin, the
values go as JSON to stdout; those that are no passwords stay as they are. This is
what gatewayctl runs where no gateway does. Obscured is not encrypted.
` + exitStatus,
		Example: `  echo '{"type":"smb","values":{"pass":"secret"}}' | rclone-gateway obscure`,
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			var req adminapi.ObscureRequest
			if err := json.NewDecoder(io.LimitReader(cmd.InOrStdin(), 1<<20)).Decode(&req); err != nil {
				return usageError(errors.New("stdin is not the JSON that is wanted: --help has an example"))
			}
			reply, err := admin.Obscure(req)
			if err != nil {
				return usageError(err)
			}
			return json.NewEncoder(cmd.OutOrStdout()).Encode(reply)
		},
	}
}

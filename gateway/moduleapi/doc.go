// Package moduleapi answers modules of hosts that reach no Redis: what such a module must
// know to be backed up and restored, and what its backups came to. It tells a module of
// itself alone, and knows no requests: who asks was admitted before.
package moduleapi

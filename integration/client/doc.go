// Package client tests the client from end to end: modules are backed up and
// restored by gatewayctl, through the gateway, with real restic and real Podman.
// It holds nothing but tests, and links neither.
//
// What the tests need:
//
//   - redis-server;
//   - bin/rclone-gateway and bin/gatewayctl (`make build`), or others that
//     RCLONE_GATEWAY and GATEWAYCTL name;
//   - restic in two versions (`make deps`), or others that RESTIC_0_14 and
//     RESTIC_0_18 name;
//   - for containers of root: root and podman;
//   - for containers of an ordinary user, beside that: uidmap, and a user with
//     subordinate IDs in /etc/subuid and /etc/subgid, which useradd makes (in CI
//     the tests do);
//   - for full disks: root, to mount small ones.
//
// The image is made on the spot from restic's binary; nothing is pulled. What is
// missing is a failure in CI (CI is not empty) and skips the test elsewhere.
package client

# The tutorial's module is backed up to other storage, too.
for file in aws b2 azure nas drive; do
  id=$(gatewayctl schedule add --destination "$(head -n 1 "$file.txt")" notes1)
  (set -a; . ./notes1.env; gatewayctl module-backup "$id")
done

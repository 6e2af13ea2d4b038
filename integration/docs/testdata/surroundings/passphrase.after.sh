# The gateway of the new machine reaches the storage with the keys of the archive, which
# import opens itself as well.
gatewayctl destination check "$(head -n 1 ~/tutorial/aws.txt)"
echo 'tell nobody' >passphrase.txt
gatewayctl destination import --passphrase-file passphrase.txt destinations.gpg >imported.txt
grep -q '^0 imported, [0-9]* skipped$' imported.txt

package main

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"strings"

	"github.com/spf13/cobra"
)

// storageKeyEnv is the environment variable with the key of a storage account: a command line is seen by others.
const storageKeyEnv = "PORTICO_STORAGE_KEY"

// A backupTarget holds the flags that say where a backup is.
type backupTarget struct{ account, container, name, keyFile, identity *string }

func backupFlags(cmd *cobra.Command) backupTarget {
	b := backupTarget{
		account:   cmd.Flags().String("account", "", "storage account, or the name of a folder of `portico up --backup-folders`"),
		container: cmd.Flags().String("container", "", "container; it must exist"),
		name:      cmd.Flags().String("backup", "", "name of the backup"),
		keyFile:   cmd.Flags().String("key-file", "", "`file` with the access key of the account; otherwise it is taken from "+storageKeyEnv),
		identity:  cmd.Flags().String("identity", "", "instead of a key: system, or the name of a user-assigned identity of the service"),
	}
	cmd.MarkFlagsMutuallyExclusive("key-file", "identity")
	for _, name := range []string{"account", "container", "backup"} {
		_ = cmd.MarkFlagRequired(name)
	}
	return b
}

// body is the request about a service called name.
func (b backupTarget) body(cmd *cobra.Command, t serviceTarget, name string) (object, error) {
	body := object{"storageAccount": *b.account, "containerName": *b.container, "backupName": *b.name}
	switch *b.identity {
	case "":
		key, err := b.key()
		body["accessKey"] = key
		return body, err
	case "system":
		body["accessType"] = "SystemAssignedManagedIdentity"
		return body, nil
	}
	c, s, err := t.open(cmd.Context(), name)
	if err != nil {
		return nil, err
	}
	have, err := readIdentities(cmd, c, s)
	if err != nil {
		return nil, err
	}
	id := have.find(*b.identity)
	if id == "" {
		return nil, fmt.Errorf("%s has no identity %q; `portico service identity %s` shows those it has", s.Name, *b.identity, s.Name)
	}
	body["accessType"], body["clientId"] = "UserAssignedManagedIdentity", have.User[id].ClientID
	return body, nil
}

func (b backupTarget) key() (string, error) {
	key := os.Getenv(storageKeyEnv)
	if *b.keyFile != "" {
		data, err := os.ReadFile(*b.keyFile)
		if err != nil {
			return "", err
		}
		if key = strings.TrimSpace(string(data)); key == "" {
			return "", errors.New("the key file is empty")
		}
	}
	return key, nil
}

func serviceBackupCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "backup NAME --account A --container C --backup B",
		Short: "copy what a service contains into a storage account or a folder",
		Long: `Copies what a service contains – APIs, products, policies, users, subscriptions with
their keys, secrets – into a container. Its tier, host names, certificates of host
names and network are not part of it. A backup can be restored for 30 days, by an
installation with the same sealing key, to a service of the same tier.`,
		Example: `  portico service backup shop --account disk --container backups --backup shop-1
  portico service backup shop --account mine --container backups --backup shop-1 --key-file key
  portico service backup shop --account mine --container backups --backup shop-1 --identity system`,
		Args: takes("NAME"),
	}
	t, b := targetFlags(cmd), backupFlags(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		body, err := b.body(cmd, t, args[0])
		if err != nil {
			return err
		}
		if err := change(cmd, t, args[0], "back up", http.MethodPost, "/backup", body); err != nil {
			return fmt.Errorf("back up %s: %w", args[0], err)
		}
		return nil
	}
	return cmd
}

func serviceRestoreCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "restore NAME --account A --container C --backup B",
		Short: "make a service contain what a backup holds, and nothing else",
		Long: `Makes a service contain what a backup holds, and nothing else. The service keeps its
address, names and network. Either all of it happens or nothing.`,
		Example: "  portico service restore shop --account disk --container backups --backup shop-1",
		Args:    takes("NAME"),
	}
	t, b := targetFlags(cmd), backupFlags(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		body, err := b.body(cmd, t, args[0])
		if err != nil {
			return err
		}
		if err := change(cmd, t, args[0], "restore", http.MethodPost, "/restore", body); err != nil {
			return fmt.Errorf("restore %s: %w", args[0], err)
		}
		return nil
	}
	return cmd
}

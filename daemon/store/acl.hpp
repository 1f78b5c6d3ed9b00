#pragma once

#include <set>
#include <sys/stat.h>
#include <sys/types.h>

/// Rights of an open folder. Nothing here goes by path, so nobody can put another folder in
/// between.
namespace wharf::store {

/// Whoever else may write. An ACL that lets others write shows here as well: the kernel keeps its
/// mask as the group's rights.
inline constexpr mode_t others_write = S_IWGRP | S_IWOTH;

/// Gives a folder this mode and nothing beside it: no accounts of their own, and nothing that what
/// is made in it would inherit. Nobody who may enter before and after is kept out in between.
/// Throws storage Errors.
void set_plain_mode(int folder, mode_t mode);

/// Whether the mode is that, and no single accounts may enter.
bool has_plain_mode(int folder, mode_t mode);

/// All rights for the owner, reading and entering for these accounts, nothing for anybody else; in
/// one step. The error number if that fails, and then nothing was changed; else 0.
[[nodiscard]] int let_in(int folder, const std::set<uid_t>& uids);

/// Whether exactly these accounts may enter beside the owner. False where it cannot be told.
bool lets_in(int folder, const std::set<uid_t>& uids);

/// Whether the file system can let in single accounts: tried on a folder of ours that others may
/// not enter, which has mode 0700 afterwards. Throws storage Errors.
bool try_acls(int folder);

} // namespace wharf::store

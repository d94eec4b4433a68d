package guest

// This system does not tell how long these queues are.

func backlog(int) int { return 0 }

func unread(int) int { return 0 }

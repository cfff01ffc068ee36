"""What people and machines read: every rendering is one of the results and the recorded exchanges."""

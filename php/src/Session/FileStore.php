<?php

namespace JDare\ClankBundle\Session;

/**
 * PHP's own session files, read as files: PHP's handler would make a file for an unknown id, and wait for the lock of a
 * page that is being made.
 */
final class FileStore extends Store
{
    private $folder;
    private $depth = 0;
    private $lifetime;

    /**
     * @param string $path     as in session.save_path: `[depth;[mode;]]folder`
     * @param int    $lifetime seconds after which PHP may sweep a session that nobody used
     */
    public function __construct(string $path, int $lifetime)
    {
        $parts = explode(';', $path);
        $folder = array_pop($parts);
        $this->depth = (int) ($parts[0] ?? 0);
        $this->folder = $folder === '' ? sys_get_temp_dir() : $folder;
        $this->lifetime = $lifetime;
    }

    public function read(string $id): string
    {
        $file = $this->file($id);
        clearstatcache(true, $file);
        if (!is_file($file) || filemtime($file) < time() - $this->lifetime) {
            return '';
        }

        return (string) @file_get_contents($file);
    }

    private function file(string $id): string
    {
        $folders = '';
        for ($i = 0; $i < $this->depth && $i < strlen($id); ++$i) {
            $folders .= $id[$i].'/';
        }

        return $this->folder.'/'.$folders.'sess_'.$id;
    }
}
